import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sealingKeyIn } from '../../lib/local/sealing-key.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealing-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('given a folder', () => {
  it('when its key is first needed, by several at once, then one is made, for its owner alone, and stays', async () => {
    const keys = await Promise.all(Array.from({ length: 3 }, () => sealingKeyIn(folder)))
    keys.push(await sealingKeyIn(folder))
    expect(new Set(keys).size).toBe(1)
    expect(Buffer.from(keys[0] ?? '', 'base64url')).toHaveLength(32)
    expect(await readdir(folder)).toEqual(['sealing-key'])
    expect((await stat(join(folder, 'sealing-key'))).mode & 0o777).toBe(0o600)
  })

  it('when the file holds something else, then it is neither used nor replaced', async () => {
    await writeFile(join(folder, 'sealing-key'), '')
    await expect(sealingKeyIn(folder)).rejects.toThrow('sealing-key cannot be used: it holds something else')
  })

  it('when it cannot be written to, then that is said', async () => {
    await expect(sealingKeyIn(join(folder, 'missing'))).rejects.toThrow(/sealing-key cannot be used: ENOENT/)
  })
})
