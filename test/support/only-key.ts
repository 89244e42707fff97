import type { Pair } from '../../lib/first-pair.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import type { Keys } from '../../lib/store/known-keys.ts'

/** One key pair that may do everything, of the account of a deployment without accounts. Nothing is read for it. */
export function onlyKey({ secretId, secretKey }: Pair): Keys {
  const key = { secretId, account: ONLY_ACCOUNT, status: 'enabled', secrets: [{ secretKey }] } as const
  return { find: (wanted) => Promise.resolve(wanted === secretId ? key : undefined) }
}
