import { lasting, type Permission } from '../domain/key.ts'
import type { Instant } from '../domain/time.ts'
import type { StoredKey } from '../store/keys.ts'

/** A key as it is shown: never with a secret, but for the one that was just made. */
export interface ShownKey {
  readonly secretId: string
  /** Only where it was just made. */
  readonly secretKey?: string
  readonly account: string
  readonly status: string
  /** Whether it is a first pair: it is good while the deployment, or the server, has it as such. */
  readonly first: boolean
  readonly allow: readonly Permission[] | null
  readonly createdAt: string
  readonly modifiedAt: string
  /** Until when the secret before a rotation is good. */
  readonly formerSecretUntil?: string
}

const time = (instant: Instant): string => new Date(instant).toISOString()

/** What may be shown of a key, and its new secret if there is one. */
export function shown(key: StoredKey, now: Instant, secretKey?: string): ShownKey {
  const former = lasting(key.secrets, now)[1]?.until
  return {
    secretId: key.secretId,
    ...(secretKey === undefined ? {} : { secretKey }),
    account: key.account,
    status: key.status,
    first: key.seed !== undefined,
    allow: key.allow ?? null,
    createdAt: time(key.createdAt),
    modifiedAt: time(key.modifiedAt),
    ...(former === undefined ? {} : { formerSecretUntil: time(former) }),
  }
}

/** One key, a line for each thing that is known of it. */
export function keyText({ allow, first: _, ...key }: ShownKey): string {
  const rows = [...Object.entries(key), ...may(allow).map((text, index) => [index === 0 ? 'may' : '', text])]
  return rows.map(([name = '', value = '']) => `${name.padEnd(18)} ${value}`.trimEnd()).join('\n')
}

/** All keys, a line each. */
export function keysText(keys: readonly ShownKey[]): string {
  const rows = keys.map(({ secretId, account, status, first, allow, createdAt, formerSecretUntil }) => [
    secretId,
    account,
    first ? `${status}, first pair` : status,
    createdAt,
    may(allow).join('; ') + (formerSecretUntil === undefined ? '' : `; former secret until ${formerSecretUntil}`),
  ])
  const text = table([['SECRET ID', 'ACCOUNT', 'STATUS', 'CREATED', 'MAY'], ...rows])
  // Which of them the service was started with is not in its tables.
  const isAmbiguous = keys.filter(({ first }) => first).length > 1
  return isAmbiguous
    ? `${text}\n\nOf the first pairs only the one is good that the service has been started with.`
    : text
}

const may = (allow: ShownKey['allow']): readonly string[] =>
  allow?.map(({ actions, resources }) => `${actions.join(', ')} on ${resources.join(', ')}`) ?? ['everything']

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
