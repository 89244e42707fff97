import { describe, expect, it } from 'vitest'
import { account, allowed, duration } from '../../lib/cli/key-arguments.ts'
import { withKeys } from '../../lib/cli/key-place.ts'

describe('given permissions', () => {
  const some = [{ actions: ['SendMessage'], resources: ['queue/orders-*'] }]

  it('when nothing is said, then there is no limit', () => {
    expect(allowed({})).toBeUndefined()
  })

  it.each([
    [{ allow: JSON.stringify(some) }, some],
    [{ allow: JSON.stringify({ allow: some }) }, some],
    [{ actions: 'SendMessage', resources: 'queue/orders-*' }, some],
    [{ actions: 'SendMessage, List*' }, [{ actions: ['SendMessage', 'List*'], resources: ['*'] }]],
    [{ resources: 'queue/a,topic/b' }, [{ actions: ['*'], resources: ['queue/a', 'topic/b'] }]],
  ])('when they are %j, then they are read', (said, wanted) => {
    expect(allowed(said)).toEqual(wanted)
  })

  const form = '--allow takes {"allow":[{"actions":["SendMessage"],"resources":["queue/orders-*"]}]}'
  it.each([
    [{ allow: '{}' }, form],
    [{ allow: '[{"actions":["*"],"resources":["*"],"deny":[]}]' }, form],
    [{ allow: '{"allow":[],"deny":[]}' }, form],
    [{ allow: '[{"actions":"*","resources":["*"]}]' }, form],
    [{ allow: '[]' }, 'the permissions cannot be used: 1 to 20 permissions are needed'],
    [{ allow: '{' }, '--allow cannot be read: '],
    [{ allow: '@missing.json' }, '--allow cannot be read: ENOENT'],
    [{ allow: '[]', actions: '*' }, 'give --allow, or --actions and --resources'],
    [{ actions: '' }, 'the permissions cannot be used:  is no action: letters and *'],
    [{ actions: 'SendMesage' }, 'the permissions cannot be used: API 2.0 has no action SendMesage'],
    [{ actions: 'SendMessage,CreateCmq*' }, 'the permissions cannot be used: API 2.0 has no action CreateCmq*'],
    [{ resources: 'queues/*' }, 'the permissions cannot be used: queues/* is no resource'],
  ])('when they are %j, then what is wrong is said', (said, fault) => {
    expect(() => allowed(said)).toThrow(fault)
  })
})

describe('given a duration', () => {
  it.each([
    ['0', 0],
    ['45s', 45],
    ['90m', 5_400],
    ['12h', 43_200],
    ['90d', 7_776_000],
  ])('when it is %j, then it is %d s', (text, seconds) => {
    expect(duration(text)).toBe(seconds)
  })

  it.each(['', '1', '-1h', '1.5h', '1y', '91d', '12 h', '1h1m'])('when it is %j, then it is refused', (text) => {
    expect(() => duration(text)).toThrow(`--overlap takes 0 or a time like 90m, 12h or 7d, not ${text}`)
  })
})

describe('given an account', () => {
  it('when it is no appId, then it is refused', () => {
    expect(account('1250000001')).toBe('1250000001')
    expect(() => account('me')).toThrow('--account takes an appId of up to 15 digits, not me')
  })
})

describe('given a place', () => {
  it.each([
    [{ stack: 'a', data: 'b' }, 'give one of --stack, --registry-table with --secret-arn, --data and --dynamodb'],
    [{ secretArn: 'a', dynamodb: 'b' }, 'give one of '],
    [{ registryTable: 'a' }, 'give --registry-table and --secret-arn together'],
    [{ data: '' }, '--data takes a directory'],
  ])('when it is %j, then it is refused', async (place, fault) => {
    await expect(
      withKeys(
        place,
        () => undefined,
        () => Promise.reject(new Error('it was used')),
      ),
    ).rejects.toThrow(fault)
  })
})
