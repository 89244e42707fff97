import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { mountDisk } from '../../support/small-disk.ts'
import { HIDDEN } from './clients.ts'
import { faultsOf } from './judge.ts'
import { tortureDisk, tortureProcesses } from './run.ts'

const disk = await mountDisk(1)
await disk?.close()

describe('given real processes', () => {
  let place: string

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'run-test-'))
    vi.stubEnv('TMPDIR', place)
  })
  afterEach(() => {
    // The next file of tests may look for its `TMPDIR` before its first test begins.
    vi.unstubAllEnvs()
    rmSync(place, { recursive: true, force: true })
  })

  it('when something was done to them, then nothing is lost, changed or revived, and nothing stays behind', async () => {
    const { ledger, left } = await tortureProcesses(3, 3)
    const { lost, unexpected, wrong, revived } = faultsOf(ledger, HIDDEN)
    expect({ lost, unexpected, wrong, revived, left }).toEqual({
      lost: [],
      unexpected: [],
      wrong: [],
      revived: [],
      left: 0,
    })
    expect(ledger.harms.length).toBeGreaterThan(0)
    expect(ledger.receipts.length).toBeGreaterThan(0)
    expect(readdirSync(place)).toEqual([])
  })

  async function interrupt(torture: typeof tortureDisk): Promise<void> {
    const interruption = new AbortController()
    const failure = expect(torture(3, 60, interruption.signal)).rejects.toThrow('enough')
    while (readdirSync(place).length === 0) await sleep(10)
    await sleep(2_500)
    interruption.abort(new Error('enough'))
    await failure
    expect(readdirSync(place)).toEqual([])
  }

  it('when somebody has enough of it, then nothing stays behind', () => interrupt(tortureProcesses))
  it.runIf(disk)('when somebody has enough of it while a disk is full, then nothing stays behind', () =>
    interrupt(tortureDisk),
  )
})
