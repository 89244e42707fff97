import { describe, expect, it } from 'vitest'
import {
  deadLetterQueueOf,
  policyAfter,
  settingsOf,
  sourcesOf,
  type DeadLetterPolicy,
} from '../../lib/domain/dead-letter-policy.ts'

const RETENTION = 345_600
const bound = 1_000
const now = 5_000

const byReceives: DeadLetterPolicy = { queueName: 'dead', policy: 0, maxReceiveCount: 3, boundAt: bound }
const byAge: DeadLetterPolicy = { queueName: 'dead', policy: 1, maxTimeToLive: 300, boundAt: bound }

describe('given a queue without a policy', () => {
  it.each([
    [
      { deadLetterQueueName: 'dead', policy: 0, maxReceiveCount: 3 },
      { ...byReceives, boundAt: now },
    ],
    [
      { deadLetterQueueName: 'dead', policy: 1, maxTimeToLive: 300 },
      { ...byAge, boundAt: now },
    ],
    // What the other policy would need is of no use to this one.
    [
      { deadLetterQueueName: 'dead', policy: 1, maxTimeToLive: 300, maxReceiveCount: 9 },
      { ...byAge, boundAt: now },
    ],
  ])('when %j is given, then it is bound from now on', (given, expected) => {
    expect(policyAfter(undefined, given, RETENTION, now)).toEqual(expected)
  })

  it('when nothing is given, then it has none', () => {
    expect(policyAfter(undefined, {}, RETENTION, now)).toBeUndefined()
  })

  it.each([
    [{ policy: 0, maxReceiveCount: 3 }, 'deadLetterQueueName'],
    [{ maxTimeToLive: 300 }, 'deadLetterQueueName'],
    [{ deadLetterQueueName: 'dead' }, 'policy'],
    [{ deadLetterQueueName: 'dead', policy: 0 }, 'maxReceiveCount'],
    [{ deadLetterQueueName: 'dead', policy: 0, maxTimeToLive: 300 }, 'maxReceiveCount'],
    [{ deadLetterQueueName: 'dead', policy: 1, maxReceiveCount: 3 }, 'maxTimeToLive'],
  ])('when only %j is given, then %s is missing', (given, name) => {
    expect(() => policyAfter(undefined, given, RETENTION, now)).toThrow(`lacked of required parameter ${name}`)
  })
})

describe('given a queue with a policy', () => {
  it('when nothing is given, then it is the same', () => {
    expect(policyAfter(byReceives, {}, RETENTION, now)).toBe(byReceives)
  })

  it('when its limit or the spelling of its queue changes, then it stays bound since when it was', () => {
    expect(policyAfter(byReceives, { maxReceiveCount: 9 }, RETENTION, now)).toEqual({
      ...byReceives,
      maxReceiveCount: 9,
    })
    expect(policyAfter(byReceives, { deadLetterQueueName: 'DEAD' }, RETENTION, now)).toMatchObject({ boundAt: bound })
  })

  it('when it turns to another queue, or to the other policy, then it is bound from now on', () => {
    expect(policyAfter(byReceives, { deadLetterQueueName: 'other' }, RETENTION, now)).toEqual({
      ...byReceives,
      queueName: 'other',
      boundAt: now,
    })
    expect(policyAfter(byReceives, { policy: 1, maxTimeToLive: 300 }, RETENTION, now)).toEqual({
      ...byAge,
      boundAt: now,
    })
    expect(() => policyAfter(byReceives, { policy: 1 }, RETENTION, now)).toThrow('maxTimeToLive')
  })

  it('when its time to live is not shorter than the retention, then it is refused, whichever changes', () => {
    const refusal = 'parameter maxTimeToLive value or length is out of range'
    expect(() => policyAfter(byAge, { maxTimeToLive: 600 }, 600, now)).toThrow(refusal)
    expect(() => policyAfter(byAge, {}, 300, now)).toThrow(refusal)
    expect(policyAfter(byAge, {}, 301, now)).toBe(byAge)
    expect(policyAfter(byReceives, {}, 60, now)).toBe(byReceives)
  })

  it('when it is told, then by the names and with the values by which it is set', () => {
    expect(settingsOf(byReceives)).toEqual({ deadLetterQueueName: 'dead', policy: 0, maxReceiveCount: 3 })
    expect(settingsOf(byAge)).toEqual({ deadLetterQueueName: 'dead', policy: 1, maxTimeToLive: 300 })
  })
})

describe('given the queues of an account', () => {
  const dead = { name: 'Dead' }
  const source = (name: string) => ({ name, deadLetterPolicy: byReceives })
  const six = ['a', 'b', 'c', 'd', 'e', 'f'].map(source)

  it('when the dead-letter queue is there, then it is found, whatever its case', () => {
    expect(deadLetterQueueOf('orders', byReceives, [{ name: 'orders' }, dead])).toBe(dead)
  })

  it('when it is not there, then that is said', () => {
    expect(() => deadLetterQueueOf('orders', byReceives, [{ name: 'orders' }])).toThrow('queue is not existed')
  })

  it('when it would be its own, or one of the two is in another binding, then that is a chain', () => {
    const chain = 'a dead letter queue cannot have a dead letter queue'
    expect(() => deadLetterQueueOf('DEAD', byReceives, [dead])).toThrow(chain)
    const hasOne = { ...dead, deadLetterPolicy: { ...byReceives, queueName: 'other' } }
    expect(() => deadLetterQueueOf('orders', byReceives, [hasOne])).toThrow(chain)
    const isOne = { name: 'x', deadLetterPolicy: { ...byReceives, queueName: 'Orders' } }
    expect(() => deadLetterQueueOf('orders', byReceives, [dead, isOne])).toThrow(chain)
  })

  it('when it serves six already, then there are too many, unless the queue is one of them', () => {
    expect(deadLetterQueueOf('orders', byReceives, [dead, ...six.slice(1)])).toBe(dead)
    expect(deadLetterQueueOf('A', byReceives, [dead, ...six])).toBe(dead)
    expect(() => deadLetterQueueOf('orders', byReceives, [dead, ...six])).toThrow('serves 6 queues at most')
  })

  it('when its sources are asked for, then they are those that name it', () => {
    expect(sourcesOf('dead', [dead, ...six, { name: 'x' }])).toEqual(six)
  })
})
