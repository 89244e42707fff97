import { describe, expect, it } from 'vitest'
import { agedSince, deadLetterOf, held, isDead, originOf } from '../../lib/domain/dead-letter.ts'
import type { DeadLetterPolicy } from '../../lib/domain/dead-letter-policy.ts'
import { givenBack, lease, newMessage } from '../../lib/domain/message.ts'

const sentAt = 1_000_000
const message = newMessage(
  { id: 'f'.repeat(32), leaseId: 'l0', body: { text: 'hello' }, delaySeconds: 0, retentionSeconds: 3_600 },
  sentAt,
)
const byReceives: DeadLetterPolicy = { queueName: 'dead', policy: 0, maxReceiveCount: 2, boundAt: 0 }
const byAge = { queueName: 'dead', policy: 1, maxTimeToLive: 300, boundAt: 0 } as const

describe('given a limit of two receives', () => {
  const once = lease(message, 30, 'l1', sentAt)
  const twice = lease(once, 30, 'l2', sentAt + 40_000)

  it('when it was received less often, then it lives; when as often, then it is dead, however old it is', () => {
    const late = sentAt + 3_000_000
    expect([message, once, twice].map((seen) => isDead(seen, byReceives, late))).toEqual([false, false, true])
  })

  it('when a receive was given back, then it does not count', () => {
    expect(isDead(givenBack(twice, 'l3'), byReceives, sentAt + 41_000)).toBe(false)
  })

  it('when all receives had ended before the binding, then it is served once more', () => {
    const later = { ...byReceives, boundAt: twice.leaseUntil }
    expect(isDead(twice, later, sentAt + 90_000)).toBe(false)
    expect(isDead(twice, { ...later, boundAt: twice.leaseUntil - 1 }, sentAt + 90_000)).toBe(true)
    expect(isDead(lease(twice, 30, 'l3', sentAt + 90_000), later, sentAt + 200_000)).toBe(true)
  })
})

describe('given a time to live of 300 s', () => {
  it('when it is over since the message could be received, then it is dead, from the very millisecond on', () => {
    expect(isDead(message, byAge, sentAt + 299_999)).toBe(false)
    expect(isDead(message, byAge, sentAt + 300_000)).toBe(true)
    const delayed = { ...message, visibleAt: sentAt + 60_000 }
    expect(isDead(delayed, byAge, sentAt + 300_000)).toBe(false)
    expect(isDead(delayed, byAge, sentAt + 360_000)).toBe(true)
  })

  it('when the queue was bound later, then it begins with that', () => {
    const later = { ...byAge, boundAt: sentAt + 100_000 }
    expect(isDead(message, later, sentAt + 399_999)).toBe(false)
    expect(isDead(message, later, sentAt + 400_000)).toBe(true)
    expect(agedSince(later, sentAt + 399_999)).toBe(-Infinity)
    expect(agedSince(later, sentAt + 400_000)).toBe(sentAt + 100_000)
  })

  it('when the message was rewound, then it never dies of age', () => {
    expect(isDead({ ...message, isRewound: true }, byAge, sentAt + 3_000_000)).toBe(false)
    expect(isDead({ ...message, isRewound: false }, byAge, sentAt + 3_000_000)).toBe(true)
  })
})

describe('given a dead message', () => {
  const seen = { ...message, receiveCount: 7, leaseUntil: sentAt + 9_000, firstReceivedAt: sentAt + 5_000 }

  it('when it becomes a dead letter, then it keeps its id and body, begins anew, and tells its origin', () => {
    const origin = originOf('orders', byReceives, seen)
    expect(origin).toEqual({ queueName: 'orders', policy: 0, sentAt, receiveCount: 7 })
    const sending = { id: seen.id, leaseId: 'new', body: seen.body, retentionSeconds: 60 }
    expect(deadLetterOf(sending, origin, sentAt + 50_000)).toEqual({
      id: message.id,
      body: { text: 'hello' },
      sentAt: sentAt + 50_000,
      visibleAt: sentAt + 50_000,
      endsAt: sentAt + 110_000,
      leaseId: 'new',
      leaseUntil: 0,
      receiveCount: 0,
      origin,
    })
  })

  it('when it is kept from others, then that counts as no receive', () => {
    expect(held(seen, 'mine', sentAt + 60_000)).toEqual({ ...seen, leaseId: 'mine', leaseUntil: sentAt + 60_000 })
  })
})
