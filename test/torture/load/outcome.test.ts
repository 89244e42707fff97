import { describe, expect, it } from 'vitest'
import { bearsLoad, loadReport, type LoadOutcome } from './outcome.ts'

const served = { code: 0, took: 900 }
const good: LoadOutcome = {
  connections: 2_000,
  writers: 200,
  refusedWriters: 0,
  polls: [served, served, { code: 7_000, took: 30_020 }],
  sent: 3,
  received: 3,
  times: [3, 4_000],
  memory: [120, 400, 410],
}

describe('given what a server under load came to', () => {
  it.each<readonly [string, Partial<LoadOutcome>, string]>([
    ['all were answered', {}, 'nothing failed'],
    ['slow writers were refused', { refusedWriters: 200 }, 'nothing failed'],
    ['polls were not answered', { polls: [served, served, { code: undefined, took: 40_000 }] }, 'failed: unended'],
    ['a poll failed', { polls: [served, served, { code: 6_000, took: 5 }] }, 'failed: unended'],
    [
      'a poll ended before its time without a message',
      { polls: [served, served, { code: 7_000, took: 20_000 }] },
      'failed: unended',
    ],
    ['a poll ended long after its time', { polls: [served, served, { code: 7_000, took: 39_000 }] }, 'failed: unended'],
    [
      'messages came too late for the polls',
      { polls: Array<typeof served>(3).fill({ code: 7_000, took: 30_000 }) },
      'failed: unserved',
    ],
    ['nothing could be sent', { sent: 0, received: 0 }, 'failed: unsent'],
    ['a message was never received', { received: 2 }, 'failed: lost'],
    ['a request was not answered', { times: [3, undefined] }, 'failed: starved'],
    ['a request took too long', { times: [3, 21_000] }, 'failed: starved'],
    ['it needed much memory', { memory: [120, 800, 800] }, 'failed: swollen'],
    ['it needed twice the memory the second time', { memory: [120, 500, 880] }, 'failed: leaked'],
    ['its memory is not known', { memory: [0, 0, 0] }, 'nothing failed'],
  ])('when %s, then the last line says so', (_, seen, verdict) => {
    const outcome = { ...good, ...seen }
    expect(loadReport(outcome).split('\n').at(-1)).toBe(verdict)
    expect(bearsLoad(outcome)).toBe(verdict === 'nothing failed')
  })
})
