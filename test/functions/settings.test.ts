import { describe, expect, it } from 'vitest'
import { readSettings, unknownSettings } from '../../functions/settings.ts'

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
        CMQ_MAX_TOPICS: '',
        CMQ_MAX_SUBSCRIPTIONS: '',
        CMQ_MAX_RATE: '',
        CMQ_MAX_IN_FLIGHT: '',
        CMQ_MAX_DELAYED: '',
        CMQ_PUBLISH_TO_NOBODY: '',
        CMQ_STRICT_CONTENT_FORMAT: '',
        CMQ_PUSH_WINDOW: '',
        CMQ_PUSH_FIRST_TRIES: '',
        CMQ_PUSH_TARGETS: '',
        CMQ_LONGEST_PAUSE_SECONDS: '',
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
      maxTopics: 1_000,
      maxSubscriptions: 500,
      maxRate: 5_000,
      maxInFlight: 0,
      maxDelayed: 0,
      publishToNobody: false,
      strictContentFormat: false,
      pushWindow: 16,
      pushFirstTries: 100,
      pushTargets: [],
      longestPause: 120,
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
  ['CMQ_PUBLISH_TO_NOBODY', 'publishToNobody'],
  ['CMQ_STRICT_CONTENT_FORMAT', 'strictContentFormat'],
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
  ['CMQ_MAX_TOPICS', 'maxTopics', 1, 1_000_000],
  ['CMQ_MAX_SUBSCRIPTIONS', 'maxSubscriptions', 1, 10_000],
  ['CMQ_MAX_RATE', 'maxRate', 0, 1_000_000],
  ['CMQ_MAX_IN_FLIGHT', 'maxInFlight', 0, 1_000_000_000],
  ['CMQ_MAX_DELAYED', 'maxDelayed', 0, 1_000_000_000],
  ['CMQ_PUSH_WINDOW', 'pushWindow', 1, 100],
  ['CMQ_PUSH_FIRST_TRIES', 'pushFirstTries', 1, 500],
  ['CMQ_LONGEST_PAUSE_SECONDS', 'longestPause', 0, 600],
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

describe('given variables that may be mistyped', () => {
  it('when they begin like settings and are none, then they are named', () => {
    const pair = { CMQ_SECRET_ID: 'AKIDx', CMQ_SECRET_KEY: 'x' }
    const given = { ...pair, CMQ_MAX_RATE: '5', CMQ_MAX_RATES: '5', CMQ_TIME_WINDOW: '5', PATH: '/bin' }
    expect(unknownSettings(given)).toEqual(['CMQ_MAX_RATES', 'CMQ_TIME_WINDOW'])
  })
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

describe('given CMQ_PUSH_TARGETS', () => {
  it.each([
    ['10.1.0.0/16', ['10.1.0.0/16']],
    [' 127.0.0.0/8 , ::1,', ['127.0.0.0/8', '::1']],
    [',,', []],
  ])('when it is %j, then what may be pushed to are %j', (text, pushTargets) => {
    expect(readSettings({ CMQ_PUSH_TARGETS: text })).toHaveProperty('pushTargets', pushTargets)
  })

  it('when there is loopback by default, then what is listed is added to that', () => {
    const defaults = { pushTargets: ['127.0.0.0/8', '::1'] }
    expect(readSettings({}, defaults)).toHaveProperty('pushTargets', ['127.0.0.0/8', '::1'])
    expect(readSettings({ CMQ_PUSH_TARGETS: '10.0.0.0/8' }, defaults)).toHaveProperty('pushTargets', [
      '127.0.0.0/8',
      '::1',
      '10.0.0.0/8',
    ])
  })

  it.each(['localhost', '10.0.0.0/33', '10.0.0', '::ffff:10.0.0.1', '10.0.0.0/8 11.0.0.0/8'])(
    'when it lists %j, then it is wrong, by its name',
    (text) => {
      expect(() => readSettings({ CMQ_PUSH_TARGETS: `127.0.0.1,${text}` })).toThrow(
        new Error(`CMQ_PUSH_TARGETS: not an IP address or a CIDR: ${text}`),
      )
    },
  )
})
