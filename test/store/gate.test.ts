import { describe, expect, it } from 'vitest'
import { newGate } from '../../lib/store/gate.ts'
import { settled } from '../support/clock.ts'

/** Work that goes on until it is told how it ends. */
function given(most: number) {
  const gate = newGate(most)
  const begun: PromiseWithResolvers<string>[] = []
  const ask = () =>
    gate(() => {
      const work = Promise.withResolvers<string>()
      begun.push(work)
      return work.promise
    })
  return { begun, ask }
}

describe('given a gate for two', () => {
  it('when five ask, then two go on at once, and as each ends the next begins, in the order of asking', async () => {
    const { begun, ask } = given(2)
    const asked = Array.from({ length: 5 }, ask)
    await settled()
    expect(begun).toHaveLength(2)
    for (let ended = 0; ended < 5; ended++) {
      begun[ended]?.resolve(`work ${ended}`)
      await settled()
      expect(begun).toHaveLength(Math.min(5, ended + 3))
    }
    expect(await Promise.all(asked)).toEqual([0, 1, 2, 3, 4].map((index) => `work ${index}`))
  })

  it('when work fails, then whoever asked is told, and the next begins', async () => {
    const { begun, ask } = given(2)
    const [first, second, third] = [ask(), ask(), ask()]
    begun[0]?.reject(new Error('broken'))
    await expect(first).rejects.toThrow('broken')
    await settled()
    begun[1]?.resolve('second')
    begun[2]?.resolve('third')
    expect(await Promise.all([second, third])).toEqual(['second', 'third'])
  })

  it('when all is over, then as many may begin at once as at first', async () => {
    const { begun, ask } = given(2)
    const asked = [ask(), ask(), ask()]
    for (let ended = 0; ended < 3; ended++, await settled()) begun[ended]?.resolve('done')
    await Promise.all(asked)
    void [ask(), ask(), ask()]
    await settled()
    expect(begun).toHaveLength(5)
  })
})
