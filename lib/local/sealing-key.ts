import { randomBytes, randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { firstLine, LocalError } from './local-error.ts'

const BYTES = 32

/** What seals the secrets of a data directory, for its owner's eyes alone: made when it is first needed. */
export async function sealingKeyIn(folder: string): Promise<string> {
  const file = join(folder, 'sealing-key')
  try {
    const key = await readFile(file, 'utf8').catch(() => make(file))
    if (Buffer.from(key, 'base64url').length !== BYTES) throw new Error('it holds something else')
    return key
  } catch (error) {
    throw new LocalError(`the sealing key ${file} cannot be used: ${firstLine(error)}`)
  }
}

/** A key that is gone with the process. */
export const passingSealingKey = (): string => randomBytes(BYTES).toString('base64url')

/** Written elsewhere and put into place whole, unless somebody else's is there already: then that one counts. */
async function make(file: string): Promise<string> {
  const own = `${file}.${randomUUID()}`
  try {
    await writeFile(own, passingSealingKey(), { mode: 0o600, flag: 'wx' })
    await link(own, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(own, { force: true })
  }
  return readFile(file, 'utf8')
}
