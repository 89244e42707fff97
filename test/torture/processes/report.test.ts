import { describe, expect, it } from 'vitest'
import { newLedger, type Call, type Ledger } from './ledger.ts'
import { isWell, processReport } from './report.ts'

const harms = [{ name: 'disk full', from: 100, until: 200 }]
const fullDisks = [{ from: 100, until: 200 }]
const send = (code: number): Call => ({ action: 'BatchSendMessage', code, from: 120, until: 130 })
const lost = [{ name: 'a', length: 1, call: { ...send(0), from: 0, until: 1 } }]

/** The lines after the rows, and whether it is well. */
const verdictOn = (seen: Partial<Ledger>, left = 0): readonly [lines: string, isWell: boolean] => {
  const outcome = { ledger: { ...newLedger(), ...seen }, left }
  return [processReport(outcome).split('\n\n').at(-1) ?? '', isWell(outcome)]
}

describe('given what came of real processes', () => {
  it.each<readonly [string, Partial<Ledger>, number, string]>([
    ['nothing is wrong', { harms }, 0, 'nothing failed'],
    ['a full disk has refused sends', { harms, fullDisks, calls: [send(6_000)] }, 0, 'nothing failed'],
    ['something is lost', { harms, attempts: lost }, 0, 'failed: lost'],
    ['the queue still has messages', { harms, attempts: lost }, 2, 'failed: left, lost'],
    ['nobody knows how many there are', { harms }, NaN, 'failed: left'],
    ['nothing was done', {}, 0, 'shown nothing: nothing was done to anything'],
    [
      'a full disk has refused nothing',
      { harms, fullDisks, calls: [send(0)] },
      0,
      'shown nothing: no send was refused',
    ],
    [
      'it has refused nothing and lost something',
      { harms, fullDisks, attempts: lost },
      0,
      'shown nothing: no send was refused\nfailed: lost',
    ],
  ])('when %s, then the last lines say so', (_, seen, left, verdict) => {
    expect(verdictOn(seen, left)).toEqual([verdict, verdict === 'nothing failed'])
  })

  it('when it is reported, then each row begins a line', () => {
    const report = processReport({ ledger: { ...newLedger(), harms, attempts: lost }, left: 0 })
    expect(report).toMatch(
      /^disk full 1 times\nattempted 1\nacknowledged 1\n(?:.*\n)*left 0\nlost 1 {2}a\nunexpected 0\n/,
    )
  })
})
