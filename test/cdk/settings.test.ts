import { Duration } from 'aws-cdk-lib'
import { describe, expect, it } from 'vitest'
import { bounds, settingsOf } from '../../cdk/settings.ts'
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
    const given = (value: number) => settingsOf({ [name]: name === 'maxQueues' ? value : Duration.seconds(value) })

    it.each([min, max])('may be %d, and the functions agree', (value) => {
      expect(readSettings(given(value))).toMatchObject({ [name]: value })
    })

    it('is refused beyond that', () => {
      expect(() => given(max + 1)).toThrow(`${name} must be a whole number from ${min} to ${max}, not ${max + 1}`)
    })
  })
})
