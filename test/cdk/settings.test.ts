import { Duration } from 'aws-cdk-lib'
import { describe, expect, it } from 'vitest'
import { bounds, isBlock, settingsOf } from '../../cdk/settings.ts'
import { readSettings } from '../../functions/settings.ts'

describe('the settings of a deployment', () => {
  it('are those that were given, each as the functions read it', () => {
    const variables = settingsOf({
      layeredErrors: true,
      anySecretId: true,
      recreateWait: Duration.minutes(1),
      timeWindow: Duration.minutes(5),
      longestDelay: Duration.days(30),
      longestWait: Duration.seconds(20),
      maxQueues: 20,
      maxTopics: 30,
      maxSubscriptions: 40,
      maxRate: 100,
      maxInFlight: 1_000,
      maxDelayed: 20_000,
      publishToNobody: true,
      strictContentFormat: true,
      pushWindow: 1,
      pushFirstTries: 5,
      pushTargets: ['10.0.0.0/8', '::1'],
      longestPause: Duration.minutes(10),
      publicHosts: ['queue.example.com', 'cmq-queue-gz.api.qcloud.com'],
    })
    expect(readSettings(variables)).toEqual({
      layeredErrors: true,
      anySecretId: true,
      recreateWait: 60,
      timeWindow: 300,
      longestDelay: 2_592_000,
      longestWait: 20,
      maxQueues: 20,
      maxTopics: 30,
      maxSubscriptions: 40,
      maxRate: 100,
      maxInFlight: 1_000,
      maxDelayed: 20_000,
      publishToNobody: true,
      strictContentFormat: true,
      pushWindow: 1,
      pushFirstTries: 5,
      pushTargets: ['10.0.0.0/8', '::1'],
      longestPause: 600,
      publicHosts: ['queue.example.com', 'cmq-queue-gz.api.qcloud.com'],
    })
  })

  it('are none when none were given', () => {
    expect(settingsOf({})).toEqual({})
  })

  it('may be off and 0', () => {
    expect(settingsOf({ layeredErrors: false, recreateWait: Duration.seconds(0) })).toEqual({
      CMQ_LAYERED_ERRORS: 'off',
      CMQ_RECREATE_WAIT_SECONDS: '0',
    })
  })

  describe.each(Object.entries(bounds))('%s', (name, [min, max]) => {
    const isCount = /^max|^push/.test(name)
    const given = (value: number) => settingsOf({ [name]: isCount ? value : Duration.seconds(value) })

    it.each([min, max])('may be %d, and the functions agree', (value) => {
      expect(readSettings(given(value))).toMatchObject({ [name]: value })
    })

    it.each([min - 1, max + 1].filter((value) => isCount || value >= 0))('is refused when it is %d', (value) => {
      expect(() => given(value)).toThrow(`${name} must be a whole number from ${min} to ${max}, not ${value}`)
    })

    it('is refused by the functions at the same places', () => {
      const variable = Object.keys(given(max))[0] ?? ''
      // On localhost no gateway gives up after 30 s.
      const above = name === 'longestWait' ? 31 : max + 1
      for (const value of [min - 1, above]) expect(() => readSettings({ [variable]: String(value) })).toThrow(variable)
    })
  })

  describe('pushTargets', () => {
    it.each(['10.0.0.0/8', '10.1.2.3', '0.0.0.0/0', '::1', 'fd00::/8', '::/0', '1::ffff:2', 'ffff::'])(
      'may be %s',
      (block) => {
        expect(isBlock(block)).toBe(true)
        expect(readSettings(settingsOf({ pushTargets: [block] })).pushTargets).toEqual([block])
      },
    )

    it.each([
      '10.0.0.0/33',
      '10.0.0',
      'fd00::/129',
      'example.com',
      '1.2.3.4/',
      'fe80::1%eth0',
      '::ffff:10.0.0.1',
      '::FFFF:a00:1',
    ])('is refused when it is %s, and the functions agree', (block) => {
      const problem = `pushTargets must be IP addresses or CIDR blocks, not ${block}`
      expect(() => settingsOf({ pushTargets: ['10.0.0.0/8', block] })).toThrow(problem)
      expect(() => readSettings({ CMQ_PUSH_TARGETS: block })).toThrow('CMQ_PUSH_TARGETS')
    })
  })
})
