import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CmqError } from '../../lib/domain/errors.ts'
import { randomIds } from '../../lib/domain/ids.ts'
import { lease, newMessage } from '../../lib/domain/message.ts'
import { emptyArchive } from '../../lib/domain/rewind.ts'
import {
  parseReceiptHandle,
  receiptHandleOf,
  writeReceiptHandle,
  type ReceiptHandle,
} from '../../lib/domain/receipt-handle.ts'

const text = (characters: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...characters), minLength, maxLength })
const letters = 'abcdefghijklmnopqrstuvwxyz'
const instant = fc.integer({ min: 0, max: 999_999_999_999_999 })

const anyHandle: fc.Arbitrary<ReceiptHandle> = fc.record({
  laneId: text(`${letters}0123456789`, 1, 32).map((id) => `lane-${id}`),
  shard: fc.integer({ min: 0, max: 9_999 }),
  visibleAt: instant,
  messageId: text('0123456789abcdef', 32, 32),
  leaseId: text(`${letters}${letters.toUpperCase()}0123456789_-`, 1, 64),
  validUntil: instant,
  archiveCount: fc.integer({ min: 0, max: 9_999_999_999 }),
})

const ids = randomIds()
const sending = { id: ids.messageId(1_000), leaseId: ids.leaseId(), body: { text: 'x' }, delaySeconds: 0 }

/** The handle of a message that was received at `now`. */
function realHandle(visibilityTimeout: number, retentionSeconds: number, count = 0, now = 1_767_614_400_137) {
  const message = newMessage({ ...sending, retentionSeconds }, now)
  const queue = { laneId: ids.resourceId('lane', 16), archive: { ...emptyArchive, count } }
  return receiptHandleOf(lease(message, visibilityTimeout, ids.leaseId(), now), queue, 63)
}

describe('given a receipt handle', () => {
  it('when it is written and parsed, then it is the same', () => {
    fc.assert(
      fc.property(anyHandle, (handle) => {
        expect(parseReceiptHandle(writeReceiptHandle(handle))).toEqual(handle)
      }),
    )
  })

  it('when it is written, then it has at most 256 characters, and only those that every SDK accepts', () => {
    fc.assert(
      fc.property(anyHandle, (handle) => {
        expect(writeReceiptHandle(handle)).toMatch(/^[A-Za-z0-9%#:_-]{1,256}$/)
      }),
    )
  })

  it('when it is of a received message, then it can be parsed, and tells its place and its lease', () => {
    const handle = realHandle(30, 60)
    expect(parseReceiptHandle(writeReceiptHandle(handle))).toEqual(handle)
    expect(handle).toMatchObject({ shard: 63, visibleAt: 1_767_614_400_137, messageId: sending.id })
  })

  it('when its queue was rewound, then it tells how often, as its receiver knew', () => {
    expect(parseReceiptHandle(writeReceiptHandle(realHandle(30, 60, 7)))).toHaveProperty('archiveCount', 7)
  })

  it.each([
    ['the lease', 30, 60, 30],
    ['the retention', 100, 60, 60],
  ])('when %s ends first, then it is valid until then', (_, visibilityTimeout, retentionSeconds, seconds) => {
    const { visibleAt, validUntil } = realHandle(visibilityTimeout, retentionSeconds)
    expect(validUntil - visibleAt).toBe(seconds * 1_000)
  })
})

describe('given any text', () => {
  const unreadable = new CmqError('receiptHandleUnreadable')
  const handle = writeReceiptHandle(realHandle(30, 60))

  const foreign = new CmqError('receiptHandleInvalid')

  it.each(['', `${handle} `, `${handle}\n`, handle.replace(':63:', ':6.3:'), '中', 'a b'])(
    'when it is %j, which never was a handle, then it cannot be read',
    (text) => {
      expect(() => parseReceiptHandle(text)).toThrow(unreadable)
    },
  )

  it.each([
    ':',
    '77',
    '1125899906842625',
    '1EAD5E05003A6767C1FC9160304F98',
    handle.slice(1),
    handle.slice(0, -13),
    `x${handle}`,
    `${handle}:`,
    handle.toUpperCase(),
    handle.replaceAll(':', '#'),
    handle.replace(':63:', ':-1:'),
    handle.replace(':63:', '::'),
    handle.replace('lane-', 'lane-x#'),
    handle.replace('lane-', ''),
  ])('when it is %j, which another service may have given out, then it is invalid', (text) => {
    expect(() => parseReceiptHandle(text)).toThrow(foreign)
  })

  it('when it is random, or a handle with a random change, then it is read as it is or refused', () => {
    const changed = fc
      .tuple(fc.nat(handle.length), fc.nat(4), fc.string({ maxLength: 4 }))
      .map(([at, gone, put]) => handle.slice(0, at) + put + handle.slice(at + gone))
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), changed), (text) => {
        try {
          const { shard, visibleAt, validUntil, archiveCount } = parseReceiptHandle(text)
          for (const number of [shard, visibleAt, validUntil, archiveCount])
            expect(Number.isSafeInteger(number)).toBe(true)
        } catch (error) {
          expect([unreadable, foreign]).toContainEqual(error)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('when it is very long, then it is refused', () => {
    for (const piece of ['a', ':', '0', 'lane-a:0:'])
      expect(() => parseReceiptHandle(piece.repeat(100_000))).toThrow(foreign)
  })
})
