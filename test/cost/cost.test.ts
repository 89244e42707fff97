import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { logger } from '../../functions/logger.ts'
import { testEngine } from '../support/engine.ts'
import { filled } from './filled.ts'
import { measure, type Measured, type Use } from './measure.ts'
import { tablesOf } from './page.ts'
import { sqsMillion, snsMillion } from './price.ts'

const kept = JSON.parse(readFileSync(join(import.meta.dirname, 'measured.json'), 'utf8')) as {
  measured: Measured
  deadDay: Use
}

describe('docs/cost.md', () => {
  it('says what npm run cost prints', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/cost.md'), 'utf8')
    expect(page).toBe(filled(page, tablesOf(kept.measured, kept.deadDay)))
  })
})

describe('what it is computed from', () => {
  let engine: Awaited<ReturnType<typeof testEngine>>
  beforeAll(async () => {
    engine = await testEngine()
    vi.spyOn(logger, 'info')
    vi.spyOn(logger, 'warn').mockImplementation(() => undefined)
  })
  afterAll(async () => {
    vi.restoreAllMocks()
    await engine.stop()
  })

  it('is what is measured now', async () => {
    const { wait, ...exact } = await measure(engine.endpoint)
    const { wait: keptWait, ...keptExact } = kept.measured
    expect(exact).toEqual(keptExact)
    // A consumer that waits looks at random times, ten a second.
    expect(Math.abs(wait.readUnits / keptWait.readUnits - 1)).toBeLessThan(0.1)
  })
})

describe('the prices of others', () => {
  it.each([
    [256, 1, 1.2],
    [256, 10, 0.12],
    [65_536, 1, 1.2],
    [65_536, 10, 0.84],
  ])('a million messages of %d bytes through SQS, %d at a time, are %d dollars', (bytes, inBatch, dollars) => {
    expect(sqsMillion(bytes, inBatch)).toBeCloseTo(dollars, 10)
  })

  it('a million messages to a web server through SNS are 1.10 dollars', () => {
    expect(snsMillion(256)).toBeCloseTo(1.1, 10)
  })
})
