import { escapedTextBytes, type Body, type LargeBody } from '../domain/message.ts'
import type { Clock, Instant } from '../domain/time.ts'
import { attributesOf, required, textIn, ttlOf } from './attributes.ts'
import { PATIENCE, readBatch, Uncertain, writeBatch, type Database, type Item } from './database.ts'
import { INLINE_BYTES } from './message-item.ts'

/**
 * Bodies that are too large for their message's item, in chunks below DynamoDB's 400 KB: pk `<bodyId>`, sk the number of the
 * chunk. Each is written once, before the message that points to it, and only TTL removes it, free of charge.
 */
export interface Bodies {
  /**
   * Stores what does not fit its message's item, to live a day longer than `endsAt`. Returns what the items hold: up to
   * `inlineBytes` each, where an item has room for no more.
   */
  store(texts: readonly string[], endsAt: Instant, inlineBytes?: number): Promise<readonly Body[]>
  /** The texts of these bodies in order; undefined where a chunk is missing. */
  load(bodies: readonly Body[]): Promise<readonly (string | undefined)[]>
}

const CHUNK_BYTES = 390_000

/** Nothing that points to a body may outlive it, whatever the clocks say and however late a write lands. */
const OUTLIVES_BY = 86_400_000

/** Bodies in a table; `newBodyId` gives ids that are never used twice. */
export function bodies(db: Database, table: string, clock: Clock, newBodyId: () => string): Bodies {
  /** Chunks are written without a condition and always alike, so a write that may have happened is simply repeated. */
  async function write(items: readonly Item[]): Promise<void> {
    const giveUpAt = clock.now() + PATIENCE
    for (let left = items; left.length > 0;) {
      try {
        left = await writeBatch(db.write, table, left)
      } catch (error) {
        if (!(error instanceof Uncertain)) throw error
      }
      if (left.length === 0) return
      if (clock.now() >= giveUpAt) throw new Error('a message body could not be stored in time')
      await clock.sleep(Math.random() * 50)
    }
  }

  /** The chunks that are there, by body and number. */
  async function read(wanted: readonly LargeBody[], consistent: boolean): Promise<Map<string, Uint8Array>> {
    const keys = wanted.flatMap(({ bodyId, chunks }) =>
      Array.from({ length: chunks }, (_, chunk) => attributesOf({ pk: bodyId, sk: chunkKey(chunk) })),
    )
    const items = await readBatch(db, clock, table, keys, consistent)
    return new Map(items.map((item) => [`${textIn(item, 'pk')}#${textIn(item, 'sk')}`, bytesOf(item)]))
  }

  return {
    async store(texts, endsAt, inlineBytes = INLINE_BYTES) {
      const items: Item[] = []
      const stored = texts.map((text): Body => {
        const bytes = Buffer.from(text)
        if (bytes.byteLength <= inlineBytes) return { text }
        const bodyId = newBodyId()
        const chunks = Math.ceil(bytes.byteLength / CHUNK_BYTES)
        for (let chunk = 0; chunk < chunks; chunk++) {
          const part = bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES)
          items.push(
            attributesOf({ pk: bodyId, sk: chunkKey(chunk), bytes: part, expiresAt: ttlOf(endsAt + OUTLIVES_BY) }),
          )
        }
        return { bodyId, chunks, escapedBytes: escapedTextBytes(text) }
      })
      await write(items)
      return stored
    },

    async load(bodies) {
      // Copies of a message share their body, and DynamoDB refuses to be asked for one item twice.
      const large = [...new Map(bodies.flatMap((body) => ('bodyId' in body ? [[body.bodyId, body]] : []))).values()]
      let chunks = await read(large, false)
      // What an eventual read does not show yet, a consistent one does.
      const missing = large.filter((body) => textOf(body, chunks) === undefined)
      if (missing.length > 0) chunks = new Map([...chunks, ...(await read(missing, true))])
      return bodies.map((body) => textOf(body, chunks))
    },
  }
}

const chunkKey = (chunk: number): string => String(chunk).padStart(3, '0')

const bytesOf = (item: Item): Uint8Array => required(item['bytes']?.B, 'bytes')

function textOf(body: Body, chunks: ReadonlyMap<string, Uint8Array>): string | undefined {
  if ('text' in body) return body.text
  const parts = Array.from({ length: body.chunks }, (_, chunk) => chunks.get(`${body.bodyId}#${chunkKey(chunk)}`))
  return parts.includes(undefined) ? undefined : Buffer.concat(parts.filter((part) => part !== undefined)).toString()
}
