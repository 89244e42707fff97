import { describe, expect, it } from 'vitest'
import { countsOf, faultsOf, refusedWhileFull, slowestRecovery, type Faults } from './judge.ts'
import { bodyOf, newLedger, readBody, type Call, type HarmDone, type Ledger, type Receipt } from './ledger.ts'

/** What clients saw, and what the judge makes of it: each fault is found, and what only looks like one is none. */

const HIDDEN = 2_000
const SEND = 'BatchSendMessage'
const call = (from: number, until: number, code: number | 'none' = 0, action = SEND): Call => ({
  action,
  from,
  until,
  code: code === 'none' ? undefined : code,
})
const attempt = (name: string, made = call(0, 10)) => ({ name, length: bodyOf(name, 50).length, call: made })
const receipt = (name: string, from: number, until: number, seen: Partial<Receipt> = {}): Receipt => ({
  msgId: `id-${name}`,
  ...readBody(bodyOf(name, 50)),
  call: call(from, until, 0, 'BatchReceiveMessage'),
  ...seen,
})
const deleted = (from: number, until: number, code?: number) => ({
  deletion: call(from, until, code, 'BatchDeleteMessage'),
})
const harm = (from: number, until: number): HarmDone => ({ name: 'server killed', from, until })

const faultsIn = (seen: Partial<Ledger>): Partial<Faults> => {
  const all = Object.entries(faultsOf({ ...newLedger(), ...seen }, HIDDEN))
  return Object.fromEntries(all.filter(([, found]) => found.length > 0))
}

describe('given messages that were sent, received and deleted', () => {
  const attempts = [attempt('a'), attempt('b', call(0, 10, 'none')), attempt('c', call(0, 10, 6000))]
  const harms = [harm(5, 6)]

  it('when each was received once, then there is no fault, and those are counted of which nobody knew', () => {
    const receipts = ['a', 'b'].map((name) => receipt(name, 20, 30, deleted(31, 40)))
    expect(faultsIn({ attempts, receipts, harms })).toEqual({})
    expect(countsOf({ ...newLedger(), attempts, receipts })).toEqual({
      attempted: 3,
      acknowledged: 1,
      received: 2,
      recovered: 1,
      duplicated: 0,
    })
  })

  it('when an acknowledged one was not received, then it is lost', () => {
    expect(faultsIn({ attempts })).toEqual({ lost: ['a'] })
  })

  it('when one was received that nobody sent, then it is unexpected', () => {
    expect(faultsIn({ receipts: [receipt('x', 20, 30)] })).toEqual({ unexpected: ['x'] })
  })

  it.each([
    ['another end', `${bodyOf('a', 50)}.`],
    ['less', 'a'],
    ['a part of another', bodyOf('a', 50).replace('a.2', 'b.2')],
  ])('when a body came with %s, then it is wrong', (_what, body) => {
    const receipts = [receipt('a', 20, 30, readBody(body))]
    expect(faultsIn({ attempts: [attempt('a')], receipts })).toEqual({ wrong: ['a'] })
  })
})

describe('given a message that was received twice', () => {
  const attempts = [attempt('a')]
  const twice = (first: Receipt, second: Receipt, harms: readonly HarmDone[] = []) =>
    faultsIn({ attempts, receipts: [second, first], harms: [...harms] })

  it('when the second receive began after the deletion was acknowledged, then it was revived, whatever was done', () => {
    const first = receipt('a', 20, 30, deleted(31, 40))
    expect(twice(first, receipt('a', 3_000, 3_010), [harm(50, 60)])).toEqual({ revived: ['a'] })
    expect(twice(first, receipt('a', 3_000, 3_010))).toEqual({ revived: ['a'], unexplained: ['a'] })
  })

  it('when the second had it before the lease of the first can have ended, then they overlap, whatever was done', () => {
    expect(twice(receipt('a', 20, 30), receipt('a', 35, 2_019), [harm(32, 33)])).toEqual({ overlapping: ['a'] })
    expect(twice(receipt('a', 20, 30), receipt('a', 35, 2_020), [harm(32, 33)])).toEqual({})
  })

  it('when its deletion was refused with nothing done to anything, then that is a fault, unless it was late', () => {
    const second = receipt('a', 2_100, 2_110)
    const refused = receipt('a', 20, 30, deleted(31, 40, 4430))
    expect(twice(refused, second)).toEqual({ unexplained: ['a'], failed: ['a'] })
    expect(twice(receipt('a', 20, 30, deleted(31, 2_020, 4430)), second)).toEqual({})
    expect(twice(refused, second, [harm(35, 36)])).toEqual({})
  })

  it('when it was stored twice, then something has to have been done to its send', () => {
    const receipts = [
      receipt('a', 20, 30, deleted(31, 40)),
      receipt('a', 41, 50, { msgId: 'other', ...deleted(51, 60) }),
    ]
    expect(faultsIn({ attempts, receipts, harms: [harm(400, 500)] })).toEqual({ unexplained: ['a'] })
    expect(faultsIn({ attempts, receipts, harms: [harm(2, 3)] })).toEqual({})
  })
})

describe('given requests that failed, or had no answer', () => {
  it('when nothing was done to anything meanwhile, then that is a fault', () => {
    const calls = [call(0, 10, 'none'), call(0, 10, 6000), call(0, 10, 7000), call(2_000, 2_010, 6000)]
    expect(faultsIn({ calls })['failed']).toHaveLength(4)
    expect(faultsIn({ calls, harms: [harm(9, 9)] })['failed']).toHaveLength(1)
    expect(faultsIn({ calls: [call(0, 10, 7000, 'BatchReceiveMessage')] })).toEqual({})
  })

  it('when a deletion had no answer, or a request took too long, then that is a fault, also where it was late', () => {
    const unanswered = call(31, 30_000, 'none', 'BatchDeleteMessage')
    const receipts = [receipt('a', 20, 30, { deletion: unanswered })]
    const faults = faultsIn({ attempts: [attempt('a')], receipts, calls: [unanswered] })
    expect(Object.keys(faults)).toEqual(['failed', 'hung'])
    expect(faultsIn({ calls: [unanswered], harms: [harm(35, 36)] })['hung']).toHaveLength(1)
  })

  it('when the disk was full from their beginning to their end, then they were refused by it', () => {
    const calls = [call(100, 200, 6000), call(100, 200, 'none'), call(90, 200, 6000), call(100, 350, 0)]
    const ledger = { ...newLedger(), calls, fullDisks: [{ from: 95, until: 300 }] }
    expect(refusedWhileFull(ledger)).toBe(1)
    expect(slowestRecovery(ledger)).toBe(50)
  })

  it('when a start did not say in one line why it failed, then that is a fault', () => {
    const said = (text: string) => `the server ended before it listened: ${text}`
    expect(faultsIn({ startsWhileFull: [undefined, said('the disk is full\n')] })).toEqual({})
    const unclear = [said(''), said('Error: x\n    at y\n'), 'the server does not listen']
    expect(faultsIn({ startsWhileFull: unclear })).toEqual({ unclear })
  })
})
