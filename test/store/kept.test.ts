import { describe, expect, it } from 'vitest'
import { newKept } from '../../lib/store/kept.ts'
import { manualClock } from '../support/clock.ts'

/** Values that are good for a second, and how often each was read. */
function given(most = 100) {
  const clock = manualClock()
  const kept = newKept<string | undefined>(clock, 1_000, most)
  const reads: string[] = []
  return {
    clock,
    kept,
    reads,
    get: (key: string, value: string | undefined = `${key}${reads.length}`) =>
      kept.get(key, () => {
        reads.push(key)
        return Promise.resolve(value)
      }),
  }
}

/** A read that the test lets end. */
function slowly<Value>() {
  let answer = (_: Value) => undefined as void
  let fail = (_: Error) => undefined as void
  const value = new Promise<Value>((resolve, reject) => ([answer, fail] = [resolve, reject]))
  return { read: () => value, answer: (value: Value) => answer(value), fail: () => fail(new Error('no answer')) }
}

describe('given a value that was read', () => {
  it('when it is wanted again within its life, then it is not read again', async () => {
    const { clock, get } = given()
    expect(await get('a')).toBe('a0')
    await clock.advance(999)
    expect(await get('a')).toBe('a0')
    await clock.advance(1)
    expect(await get('a')).toBe('a1')
  })

  it('when another is wanted, then that one is read', async () => {
    const { get, reads } = given()
    await get('a')
    await get('b')
    expect(reads).toEqual(['a', 'b'])
  })

  it('when it is forgotten, then it is read anew', async () => {
    const { kept, get } = given()
    await get('a')
    kept.forget('a')
    expect(await get('a')).toBe('a1')
  })

  it('when the clock steps back, then it is read anew', async () => {
    const { clock, get } = given()
    await get('a')
    clock.set(clock.now() - 1)
    expect(await get('a')).toBe('a1')
  })

  it('when more are kept than there is room for, then the oldest is read anew', async () => {
    const { get, reads } = given(2)
    for (const key of ['a', 'b', 'c', 'c', 'b', 'a']) await get(key)
    expect(reads).toEqual(['a', 'b', 'c', 'a'])
  })
})

describe('given a read that takes its time', () => {
  it('when others want the same, then all wait for that one read', async () => {
    const { kept } = given()
    const { read, answer } = slowly<string>()
    const wanted = [1, 2, 3].map(() => kept.get('a', read))
    answer('once')
    expect(await Promise.all(wanted)).toEqual(['once', 'once', 'once'])
  })

  it('when it has ended, then its life is counted from its beginning', async () => {
    const { clock, kept, get } = given()
    const { read, answer } = slowly<string>()
    const first = kept.get('a', read)
    await clock.advance(900)
    answer('old')
    expect(await first).toBe('old')
    await clock.advance(99)
    expect(await get('a')).toBe('old')
    await clock.advance(1)
    expect(await get('a', 'new')).toBe('new')
  })

  it('when the value is forgotten meanwhile, then what is read is answered but not kept', async () => {
    const { kept, get } = given()
    const { read, answer } = slowly<string>()
    const first = kept.get('a', read)
    kept.forget('a')
    answer('old')
    expect(await first).toBe('old')
    expect(await get('a', 'new')).toBe('new')
  })

  it('when it is forgotten and read again before the first read fails, then the second is kept', async () => {
    const { kept, get } = given()
    const { read, fail } = slowly<string>()
    const first = kept.get('a', read)
    kept.forget('a')
    expect(await get('a', 'new')).toBe('new')
    fail()
    await expect(first).rejects.toThrow('no answer')
    expect(await get('a', 'newer')).toBe('new')
  })
})

describe('given what is not there', () => {
  it('when it is wanted again, then it is looked for again', async () => {
    const { kept, get, reads } = given()
    const nothing = () => {
      reads.push('a')
      return Promise.resolve(undefined)
    }
    expect(await kept.get('a', nothing)).toBeUndefined()
    expect(await kept.get('a', nothing)).toBeUndefined()
    expect(await get('a', 'there')).toBe('there')
    expect(reads).toHaveLength(3)
  })

  it('when the read fails, then whoever waits hears of it, and the next reads again', async () => {
    const { kept, get } = given()
    const { read, fail } = slowly<string>()
    const wanted = [kept.get('a', read), kept.get('a', read)]
    fail()
    for (const one of wanted) await expect(one).rejects.toThrow('no answer')
    expect(await get('a', 'there')).toBe('there')
  })
})
