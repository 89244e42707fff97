import { beforeEach, describe, expect, it } from 'vitest'
import { START } from '../support/clock.ts'
import { randomOf } from '../support/random.ts'
import { virtualClock, type VirtualClock } from './clock.ts'
import { follow } from './course.ts'
import { hasStoodStill } from './judge/causes.ts'
import { newLife, type Life } from './life.ts'

describe('given a process that has stood still for ten seconds since the start', () => {
  let clock: VirtualClock
  let life: Life
  let faults: string[]
  const goesOn = (limit: number): Promise<boolean> =>
    clock.drive(
      follow({ name: 'test', random: randomOf('test'), faults }, () => life.goOn()),
      START + limit,
    )

  beforeEach(() => {
    clock = virtualClock(START)
    faults = []
    life = newLife(
      clock,
      () => false,
      () => undefined,
    )
    life.standStill(9_999.5)
  })

  it('when something is to go on, then it does at the end of the standstill, and that is a fault of it', async () => {
    expect(await goesOn(9_999)).toBe(false)
    expect(await goesOn(10_000)).toBe(true)
    expect(clock.now()).toBe(START + 10_000)
    expect([hasStoodStill(faults), hasStoodStill(faults, START + 10_001)]).toEqual([true, false])
  })

  it('when something goes on afterwards, then nothing has befallen it', async () => {
    await clock.drive(clock.sleep(10_000), START + 10_000)
    expect(await goesOn(10_000)).toBe(true)
    expect(faults).toEqual([])
  })

  it('when it dies meanwhile, then nothing goes on at the end of the standstill', async () => {
    void clock.sleep(5_000).then(() => life.die())
    expect(await goesOn(60_000)).toBe(false)
  })

  it.each([
    [129_999, START + 129_999],
    [130_000, START + 131_000],
  ])('when it is to stand still again after %i ms, then it goes on at %i', async (after, expected) => {
    await clock.drive(clock.sleep(after), START + after)
    life.standStill(1_000)
    expect(await goesOn(200_000)).toBe(true)
    expect(clock.now()).toBe(expected)
  })
})
