import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import type { Key } from '../../lib/domain/key.ts'
import { KEY_LIFETIME, knownKeys } from '../../lib/store/known-keys.ts'
import { manualClock } from '../support/clock.ts'

// For the test of what is kept in memory.
setFlagsFromString('--expose-gc')

const keyOf = (secretId: string): Key => ({
  secretId,
  account: '1250000000',
  status: 'enabled',
  secrets: [{ secretKey: 'secret' }],
})

/** Keys of which those named are there, and what was read of them. */
function given(...there: string[]) {
  const clock = manualClock()
  const reads: string[] = []
  const present = new Set(there)
  const open = (secretId: string) => {
    reads.push(secretId)
    return Promise.resolve(present.has(secretId) ? keyOf(secretId) : undefined)
  }
  return { clock, reads, present, keys: knownKeys({ open }, clock) }
}

describe('given a key', () => {
  it('when it is asked for all the time, then it is read once a minute', async () => {
    const { clock, keys, reads } = given('AKIDa')
    for (let second = 0; second < 120; second++) {
      expect(await keys.find('AKIDa')).toEqual(keyOf('AKIDa'))
      await clock.advance(1_000)
    }
    expect(reads).toEqual(['AKIDa', 'AKIDa'])
  })

  it('when it is deleted, then that is known within a minute', async () => {
    const { clock, keys, present } = given('AKIDa')
    await keys.find('AKIDa')
    present.clear()
    await clock.advance(KEY_LIFETIME)
    expect(await keys.find('AKIDa')).toBeUndefined()
  })

  it('when others ask for 30,000 that do not exist, then it is still known', async () => {
    const { keys, reads } = given('AKIDa')
    await keys.find('AKIDa')
    for (let other = 0; other < 30_000; other++) await keys.find(`AKID${other}`)
    await keys.find('AKIDa')
    expect(reads.filter((secretId) => secretId === 'AKIDa')).toHaveLength(1)
  })
})

describe('given a SecretId that nobody has', () => {
  it('when it is asked for all the time, also at once, then it costs one read a minute', async () => {
    const { clock, keys, reads } = given()
    for (let second = 0; second < 120; second++) {
      const found = await Promise.all(Array.from({ length: 10 }, () => keys.find('AKIDnobody')))
      expect(new Set(found)).toEqual(new Set([undefined]))
      await clock.advance(1_000)
    }
    expect(reads).toHaveLength(2)
  })

  it('when somebody gets it, then that is known within a minute', async () => {
    const { clock, keys, present } = given()
    await keys.find('AKIDnew')
    present.add('AKIDnew')
    expect(await keys.find('AKIDnew')).toBeUndefined()
    await clock.advance(KEY_LIFETIME)
    expect(await keys.find('AKIDnew')).toEqual(keyOf('AKIDnew'))
  })

  it('when it is none that anybody can have, then nothing is read', async () => {
    const { keys, reads } = given()
    expect(await keys.find('')).toBeUndefined()
    expect(await keys.find('AKID'.repeat(100_000))).toBeUndefined()
    expect(reads).toEqual([])
  })

  it('when it came in a long request, then that is not kept in memory with it', async () => {
    const { keys } = given()
    const collect = runInNewContext('gc') as () => void
    const used = () => (collect(), process.memoryUsage().heapUsed)
    const before = used()
    for (let other = 0; other < 20; other++) {
      const request = Buffer.from(`SecretId=AKIDlonger than a dozen ${other}&${'x'.repeat(1_000_000)}`).toString()
      await keys.find(request.slice('SecretId='.length, request.indexOf('&')))
    }
    expect(used() - before).toBeLessThan(5_000_000)
  })

  it('when 30,000 are asked for, then those of the last minute that are remembered are 10,000', async () => {
    const { keys, reads } = given()
    const ask = async (from: number, to: number) => {
      for (let at = from; at < to; at++) await keys.find(`AKID${at}`)
    }
    await ask(0, 30_000)
    await ask(20_000, 30_000)
    expect(reads).toHaveLength(30_000)
    await ask(19_999, 20_000)
    expect(reads).toHaveLength(30_001)
  })
})

describe('given a store that fails', () => {
  it('when it is asked again, then what it failed to tell is not taken for absence', async () => {
    let fails = true
    const open = (secretId: string) => (fails ? Promise.reject(new Error('down')) : Promise.resolve(keyOf(secretId)))
    const keys = knownKeys({ open }, manualClock())
    await expect(keys.find('AKIDa')).rejects.toThrow('down')
    fails = false
    expect(await keys.find('AKIDa')).toEqual(keyOf('AKIDa'))
  })
})
