import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CmqError } from '../../lib/domain/errors.ts'
import {
  ANSWER_ROOM,
  checkBodies,
  escapedBytes,
  escapedTextBytes,
  fitting,
  givenBack,
  isExpired,
  isInFlight,
  isReady,
  LARGEST_ESCAPED_BODY,
  lease,
  newMessage,
  revived,
  roomBeside,
  type Body,
  type Message,
} from '../../lib/domain/message.ts'

const start = 1_767_614_400_000
const sending = { id: 'id', leaseId: 'first', body: { text: 'x' } }

const instant = fc.integer({ min: start, max: start + 10_000_000 })
const seconds = fc.integer({ min: 0, max: 5_000 })
const timeout = fc.integer({ min: 1, max: 5_000 })

const fresh = fc
  .record({ delaySeconds: seconds, retentionSeconds: timeout, sentAt: instant })
  .map(({ sentAt, ...times }) => newMessage({ ...sending, ...times }, sentAt))

/** A message that was received some times. */
const message: fc.Arbitrary<Message> = fc
  .tuple(fresh, fc.array(fc.tuple(timeout, instant), { maxLength: 3 }))
  .map(([sent, leases]) => leases.reduce<Message>((held, [lasts, now]) => lease(held, lasts, `at ${now}`, now), sent))

describe('given a message that was just sent', () => {
  it('when its delay has passed, then it is ready, from that very millisecond to the end of its retention', () => {
    fc.assert(
      fc.property(fresh, instant, (sent, now) => {
        expect(isReady(sent, now)).toBe(sent.visibleAt <= now && now < sent.endsAt)
        expect(isInFlight(sent, now)).toBe(false)
      }),
    )
  })

  it('when its times are asked for, then they are counted from when it was sent', () => {
    expect(newMessage({ ...sending, delaySeconds: 3, retentionSeconds: 60 }, start)).toEqual({
      ...sending,
      sentAt: start,
      visibleAt: start + 3_000,
      endsAt: start + 60_000,
      leaseUntil: 0,
      receiveCount: 0,
    })
  })
})

describe('given a deleted message', () => {
  it('when it is brought back, then it is leased at a new place, its counts begin anew, and its life is as long', () => {
    fc.assert(
      fc.property(message, timeout, instant, (deleted, lasts, now) => {
        const { id, sentAt, endsAt, body } = deleted
        expect(revived(deleted, lasts, 'lease', now)).toEqual({
          ...{ id, sentAt, endsAt, body },
          visibleAt: now,
          leaseId: 'lease',
          leaseUntil: now + lasts * 1000,
          receiveCount: 1,
          firstReceivedAt: now,
          isRewound: true,
        })
      }),
    )
  })
})

describe('given any message', () => {
  it('when it is leased, then it is in flight until its timeout has passed, and ready again after that', () => {
    fc.assert(
      fc.property(message, timeout, instant, instant, (held, lasts, now, later) => {
        const leased = lease(held, lasts, 'new', now)
        expect(isInFlight(leased, later)).toBe(later < now + lasts * 1_000)
        if (isReady(leased, later)) expect(isInFlight(leased, later) || isExpired(leased, later)).toBe(false)
        if (isReady(held, now)) expect(isReady(leased, leased.leaseUntil)).toBe(!isExpired(leased, leased.leaseUntil))
      }),
    )
  })

  it('when it is leased, then its lease, its count and once its first time are new, and nothing else is', () => {
    fc.assert(
      fc.property(message, timeout, instant, (held, lasts, now) => {
        expect(lease(held, lasts, 'new', now)).toEqual({
          ...held,
          leaseId: 'new',
          leaseUntil: now + lasts * 1_000,
          receiveCount: held.receiveCount + 1,
          firstReceivedAt: held.firstReceivedAt ?? now,
        })
      }),
    )
  })

  it('when it is leased and given back, then it is as before but for its lease, which nobody knows', () => {
    fc.assert(
      fc.property(message, timeout, instant, (held, lasts, now) => {
        const back = givenBack(lease(held, lasts, 'new', now), 'newer')
        expect(back).toEqual({ ...held, leaseId: 'newer', leaseUntil: 0 })
        expect('firstReceivedAt' in back).toBe('firstReceivedAt' in held)
      }),
    )
  })

  it('when its retention is over, then it is not ready, whatever else holds', () => {
    fc.assert(
      fc.property(message, instant, (held, now) => {
        if (isExpired(held, now)) expect(isReady(held, now)).toBe(false)
        expect(isExpired(held, held.endsAt)).toBe(true)
        expect(isExpired(held, held.endsAt - 1)).toBe(false)
      }),
    )
  })
})

describe('given what an answer has room for', () => {
  const large = (bytes: number): Body => ({ bodyId: 'body', chunks: 1, escapedBytes: bytes })
  const body = fc.oneof(
    fc.string({ unit: 'binary' }).map((text): Body => ({ text })),
    fc.integer({ min: 1_000, max: LARGEST_ESCAPED_BODY }).map(large),
  )
  const messages = fc.array(
    body.map((body): Message => ({
      ...newMessage({ ...sending, delaySeconds: 0, retentionSeconds: 60 }, start),
      body,
    })),
    { maxLength: 20 },
  )
  const room = fc.record({
    messages: fc.integer({ min: 1, max: 16 }),
    bytes: fc.oneof(fc.constant(ANSWER_ROOM), fc.integer({ min: 1, max: ANSWER_ROOM })),
  })
  const bytesOf = (chosen: readonly Message[]) => chosen.reduce((sum, { body }) => sum + escapedBytes(body), 0)

  it('when messages are chosen, then they are the first ones, as many as fit', () => {
    fc.assert(
      fc.property(messages, room, (given, room) => {
        const chosen = fitting(given, room)
        expect(chosen).toEqual(given.slice(0, chosen.length))
        expect(chosen.length).toBeLessThanOrEqual(room.messages)
        const isOneTooLarge = room.bytes === ANSWER_ROOM && chosen.length === 1
        if (!isOneTooLarge) expect(bytesOf(chosen)).toBeLessThanOrEqual(room.bytes)
        const next = given[chosen.length]
        if (next && chosen.length < room.messages) expect(bytesOf([...chosen, next])).toBeGreaterThan(room.bytes)
      }),
    )
  })

  it('when an answer has none yet, then it takes one, however large', () => {
    fc.assert(
      fc.property(messages, fc.integer({ min: 1, max: 16 }), (given, count) => {
        expect(fitting(given, { messages: count, bytes: ANSWER_ROOM }).length > 0).toBe(given.length > 0)
      }),
    )
  })

  it('when some are taken, then what fits beside them fits into the whole', () => {
    fc.assert(
      fc.property(messages, room, fc.nat(20), (given, room, cut) => {
        const chosen = fitting(given, room)
        const taken = chosen.slice(0, cut)
        const beside = roomBeside(taken, room)
        expect(beside).toEqual({ messages: room.messages - taken.length, bytes: room.bytes - bytesOf(taken) })
        if (taken.length > 0 && bytesOf(chosen) <= room.bytes)
          expect([...taken, ...fitting(given.slice(taken.length), beside)]).toEqual(chosen)
      }),
    )
  })

  it('when a text is measured, then it is as long as in the JSON of an answer', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapedBytes({ text })).toBe(Buffer.byteLength(JSON.stringify({ text })) - '{"text":}'.length)
      }),
    )
    expect(escapedBytes(large(7))).toBe(7)
  })
})

describe('given bodies to be sent', () => {
  const MB = 1_048_576
  const zeros = (count: number) => '\0'.repeat(count)

  it.each([
    ['one byte', ['x'], 1_024],
    ['exactly the maxMsgSize', ['x'.repeat(1_024), '中'.repeat(341)], 1_024],
    ['1 MB together', ['x'.repeat(MB - 1), 'x'], MB],
    ['4.5 MB as escaped JSON', [zeros(749_999)], MB],
    ['more than 4.5 MB as escaped JSON, but only together', [zeros(500_000), zeros(500_000)], MB],
  ])('when they are %s, then they are accepted', (_, texts, maxMsgSize) => {
    expect(() => checkBodies(texts, maxMsgSize)).not.toThrow()
  })

  it.each([
    ['one byte above the maxMsgSize', ['x', 'x'.repeat(1_025)], 1_024, 'bodyTooLarge'],
    ['above it in bytes, not in characters', ['中'.repeat(342)], 1_024, 'bodyTooLarge'],
    ['above 1 MB together', ['x'.repeat(MB), 'x'], MB, 'batchTooLarge'],
    ['above both', ['x'.repeat(MB), 'x'.repeat(MB)], MB - 1, 'bodyTooLarge'],
    ['above 4.5 MB as escaped JSON', ['x', zeros(750_000)], MB, 'bodyTooLarge'],
  ] as const)('when they are %s, then they are refused', (_, texts, maxMsgSize, failure) => {
    expect(() => checkBodies(texts, maxMsgSize)).toThrow(new CmqError(failure))
  })

  it('when one fits no answer, then it is refused, and no other', () => {
    const character = fc.constantFrom('\0', '"', 'x', '中', '\u{1F600}', '\x7f')
    const text = fc
      .tuple(character, fc.integer({ min: 740_000, max: MB }))
      .map(([unit, bytes]) => unit.repeat(Math.floor(bytes / Buffer.byteLength(unit))))
    fc.assert(
      fc.property(text, (text) => {
        const check = () => checkBodies([text], MB)
        if (escapedTextBytes(text) > LARGEST_ESCAPED_BODY) expect(check).toThrow(new CmqError('bodyTooLarge'))
        else expect(check).not.toThrow()
      }),
      { numRuns: 30 },
    )
  })
})
