import { describe, expect, it } from 'vitest'
import { readSettings } from '../../functions/settings.ts'

describe('given an environment', () => {
  it.each([
    ['nothing', {}],
    [
      'only empty variables',
      {
        CMQ_LAYERED_ERRORS: '',
        CMQ_ANY_SECRET_ID: '',
        CMQ_RECREATE_WAIT_SECONDS: '',
        CMQ_TIME_WINDOW_SECONDS: '',
        CMQ_LONGEST_DELAY_SECONDS: '',
        CMQ_LONGEST_WAIT_SECONDS: '',
        CMQ_MAX_QUEUES: '',
        CMQ_PUBLIC_HOSTS: '',
      },
    ],
    ['other variables', { LONGEST_WAIT: '3', cmq_max_queues: '3' }],
  ])('when it has %s, then every setting has its default', (_, environment) => {
    expect(readSettings(environment)).toEqual({
      layeredErrors: false,
      anySecretId: false,
      recreateWait: 0,
      timeWindow: 7_200,
      longestDelay: 3_600,
      longestWait: 27,
      maxQueues: 1_000,
      publicHosts: [],
    })
  })

  it('when nothing stands before API Gateway, then the longest wait has another default, and the variable wins', () => {
    expect(readSettings({}, { longestWait: 30 })).toHaveProperty('longestWait', 30)
    expect(readSettings({ CMQ_LONGEST_WAIT_SECONDS: '5' }, { longestWait: 30 })).toHaveProperty('longestWait', 5)
  })
})

describe.each([
  ['CMQ_LAYERED_ERRORS', 'layeredErrors'],
  ['CMQ_ANY_SECRET_ID', 'anySecretId'],
] as const)('given %s', (variable, setting) => {
  it.each([
    ['on', true],
    ['off', false],
  ])('when it is %s, then that is the setting', (text, value) => {
    expect(readSettings({ [variable]: text })).toHaveProperty(setting, value)
  })

  it.each(['true', '1', 'ON', ' on'])('when it is %j, then it is wrong, by its name', (text) => {
    expect(() => readSettings({ [variable]: text })).toThrow(new Error(`${variable} must be on or off, not ${text}`))
  })
})

describe.each([
  ['CMQ_RECREATE_WAIT_SECONDS', 'recreateWait', 0, 86_400],
  ['CMQ_TIME_WINDOW_SECONDS', 'timeWindow', 1, 1_000_000_000],
  ['CMQ_LONGEST_DELAY_SECONDS', 'longestDelay', 0, 6_048_000],
  ['CMQ_LONGEST_WAIT_SECONDS', 'longestWait', 0, 30],
  ['CMQ_MAX_QUEUES', 'maxQueues', 1, 1_000_000],
] as const)('given %s', (variable, setting, min, max) => {
  it.each([min, max])('when it is %d, then that is the setting', (value) => {
    expect(readSettings({ [variable]: String(value) })).toHaveProperty(setting, value)
  })

  it.each([String(min - 1), String(max + 1), 'x', '1.5', '-0', '1e3', ' 7', '٣'])(
    'when it is %j, then it is wrong, by its name',
    (text) => {
      expect(() => readSettings({ [variable]: text })).toThrow(
        new Error(`${variable} must be a whole number from ${min} to ${max}, not ${text}`),
      )
    },
  )
})

describe('given CMQ_PUBLIC_HOSTS', () => {
  it.each([
    ['a.example', ['a.example']],
    [' a.example , b.example:8443,', ['a.example', 'b.example:8443']],
    [',,', []],
  ])('when it is %j, then the names are %j', (text, publicHosts) => {
    expect(readSettings({ CMQ_PUBLIC_HOSTS: text })).toHaveProperty('publicHosts', publicHosts)
  })
})
