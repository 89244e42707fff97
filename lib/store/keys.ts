import { ScanCommand } from '@aws-sdk/client-dynamodb'
import type { Ids } from '../domain/ids.ts'
import { keyStatuses, rotated, type Key, type KeyStatus, type Lasting, type Permission } from '../domain/key.ts'
import type { Clock, Instant, Seconds } from '../domain/time.ts'
import type { Origin, Pair } from '../first-pair.ts'
import { ONLY_ACCOUNT } from '../names.ts'
import { attributesOf, numberIn, required, textIn } from './attributes.ts'
import type { Database, Item } from './database.ts'
import { records, type Kind } from './records.ts'
import { sealing, type Sealing } from './sealing.ts'

/**
 * The key pairs of all accounts: pk `key#<secretId>`, sk `key`. Secrets are sealed in them. A SecretId is never used
 * twice: what is deleted leaves its place taken.
 */
export interface KeyStore {
  /** The key as it is now; undefined where there is none, or none any more. */
  read(secretId: string): Promise<StoredKey | undefined>
  /** The key with its secrets opened. The first pair is taken over when it is asked for. */
  open(secretId: string): Promise<Key | undefined>
  /** All keys, those created first in front. Reads the whole table: for those who look after keys, not for requests. */
  list(): Promise<readonly StoredKey[]>
  /** False when the SecretId is taken, or was once. */
  create(pair: Pair, account: string, allow?: readonly Permission[]): Promise<boolean>
  /** As all changes: false when the key is no longer as it was read. */
  setStatus(key: StoredKey, status: KeyStatus): Promise<boolean>
  /** Gives it another secret; the present one is good until then, if anything is said. */
  rotate(key: StoredKey, secretKey: string, until?: Instant): Promise<boolean>
  /** Ends what is left of a rotation: the newest secret alone is good. */
  endRotation(key: StoredKey): Promise<boolean>
  /** False when it is gone. */
  remove(key: StoredKey): Promise<boolean>
  /**
   * Takes over the first pair where nobody has, or where another secret is given for it since. Returns its key; undefined
   * where it was deleted, or none is given.
   */
  seed(): Promise<StoredKey | undefined>
}

/** A key as it lies in the table. */
export interface StoredKey extends Omit<Key, 'secrets'> {
  readonly secrets: readonly SealedSecret[]
  readonly id: string
  /** New at every change: a change on condition of it overwrites none that it has not seen. */
  readonly changeId: string
  readonly createdAt: Instant
  readonly modifiedAt: Instant
  /** Of a first pair, the fingerprint of the secret that was given for it. It is good where it is the first pair, only. */
  readonly seed?: string
}

interface SealedSecret extends Lasting {
  readonly sealed: string
}

type KeyChange = Partial<Pick<StoredKey, 'status' | 'secrets' | 'seed' | 'modifiedAt'>>

/** How long the SecretId of a deleted key stays taken: a hundred years. */
const FOREVER: Seconds = 3_155_760_000

/** What keys are stored with. */
export interface KeyStoreOptions {
  readonly clock: Clock
  readonly ids: Ids
  /** Read once, when it is needed; a read that failed is made anew. */
  readonly origin: () => Promise<Origin>
  /** Told that the first pair was taken over. */
  readonly seeded?: (key: Pick<Key, 'secretId' | 'account'>) => void
}

/** The keys of a table. */
export function keyStore(db: Database, table: string, options: KeyStoreOptions): KeyStore {
  const { clock, ids, seeded = () => undefined } = options
  const stored = records(db, table, clock, { isAlone: true }, kind)
  const read = (secretId: string) => stored.read(placeOf({ secretId }))

  let beginning: Promise<{ first: Pair | undefined; seals: Sealing }> | undefined
  function begin() {
    beginning ??= options.origin().then(({ first, root }) => ({ first, seals: sealing(root) }))
    beginning.catch(() => (beginning = undefined))
    return beginning
  }

  const change = (key: StoredKey, changes: KeyChange) =>
    stored.change(key, { ...changes, modifiedAt: clock.now() }, ids.leaseId())

  async function create(pair: Pair, account: string, more: Pick<StoredKey, 'allow' | 'seed'>): Promise<boolean> {
    const { seals } = await begin()
    const { secretId, secretKey } = pair
    const id = ids.leaseId()
    const now = clock.now()
    const outcome = await stored.create({
      secretId,
      account,
      status: 'enabled',
      secrets: [{ sealed: seals.seal(secretKey, { secretId, account }) }],
      id,
      changeId: id,
      createdAt: now,
      modifiedAt: now,
      ...more,
    })
    return outcome === 'created'
  }

  async function seed(isNews = false): Promise<StoredKey | undefined> {
    const { first, seals } = await begin()
    if (!first) return undefined
    const { secretId, secretKey } = first
    const key = await read(secretId)
    const owner = { secretId, account: key?.account ?? ONLY_ACCOUNT }
    const mark = seals.fingerprint(secretKey, owner)
    // A secret that was given since counts; one that was rotated here since it was given, does not.
    if (key && (key.seed === undefined || key.seed === mark)) return key
    if (key && !isNews) {
      // Or it is this process that knows an old one.
      beginning = undefined
      return seed(true)
    }
    const isTaken = key
      ? await change(key, { secrets: [{ sealed: seals.seal(secretKey, owner) }], seed: mark })
      : await create(first, owner.account, { seed: mark })
    if (isTaken) seeded(owner)
    return read(secretId)
  }

  return {
    read,
    seed: () => seed(),

    async open(secretId) {
      const isFirst = secretId === (await begin()).first?.secretId
      const key = isFirst ? await seed() : await read(secretId)
      // What was the first pair of an earlier start may be one that everybody knows.
      if (!key || (key.seed !== undefined && !isFirst)) return undefined
      const { seals } = await begin()
      const secrets = key.secrets.map(({ sealed, ...lasts }) => ({ secretKey: seals.open(sealed, key), ...lasts }))
      return { secretId, account: key.account, status: key.status, allow: key.allow, secrets }
    },

    async list() {
      const found: Item[] = []
      let start: Item | undefined
      do {
        const { Items = [], LastEvaluatedKey } = await db.read(
          new ScanCommand({
            TableName: table,
            FilterExpression: 'begins_with(pk, :prefix) AND attribute_not_exists(freeAt)',
            ExpressionAttributeValues: attributesOf({ ':prefix': PREFIX }),
            ConsistentRead: true,
            ...(start ? { ExclusiveStartKey: start } : {}),
          }),
        )
        found.push(...Items)
        start = LastEvaluatedKey
      } while (start)
      return found.map(keyOf).sort((a, b) => a.createdAt - b.createdAt || (a.secretId < b.secretId ? -1 : 1))
    },

    create: (pair, account, allow) => create(pair, account, { allow }),
    setStatus: (key, status) => change(key, { status }),

    async rotate(key, secretKey, until) {
      const { seals } = await begin()
      return change(key, { secrets: rotated(key.secrets, { sealed: seals.seal(secretKey, key) }, until) })
    },

    endRotation: (key) => change(key, { secrets: key.secrets.slice(0, 1) }),
    remove: (key) => stored.remove(key, FOREVER),
  }
}

const PREFIX = 'key#'

const placeOf = ({ secretId }: Pick<StoredKey, 'secretId'>) => ({ pk: PREFIX + secretId, sk: 'key' })

const flattened = ({ secrets, ...change }: KeyChange) => ({ ...change, secrets: secrets && JSON.stringify(secrets) })

const kind: Kind<StoredKey, KeyChange> = {
  prefix: 'key',
  placeOf,
  valuesOf: ({ secretId: _, allow, ...key }) => ({ ...key, allow: allow && JSON.stringify(allow), ...flattened(key) }),
  changesOf: flattened,
  read: keyOf,
}

function keyOf(item: Item): StoredKey {
  const text = (name: string) => required(textIn(item, name), name)
  const allow = textIn(item, 'allow')
  const seed = textIn(item, 'seed')
  return {
    secretId: text('pk').slice(PREFIX.length),
    account: text('account'),
    status: required(
      keyStatuses.find((known) => known === text('status')),
      'status',
    ),
    ...(allow === undefined ? {} : { allow: JSON.parse(allow) as readonly Permission[] }),
    secrets: JSON.parse(text('secrets')) as readonly SealedSecret[],
    id: text('id'),
    changeId: text('changeId'),
    createdAt: required(numberIn(item, 'createdAt'), 'createdAt'),
    modifiedAt: required(numberIn(item, 'modifiedAt'), 'modifiedAt'),
    ...(seed === undefined ? {} : { seed }),
  }
}
