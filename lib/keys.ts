import { keyVariables, ONLY_ACCOUNT } from './names.ts'

/** A key pair, and whose it is. */
export interface Key {
  readonly secretId: string
  readonly secretKey: string
  readonly account: string
}

export interface Keys {
  find(secretId: string): Promise<Key | undefined>
}

type Pair = Pick<Key, 'secretId' | 'secretKey'>

/** The one key pair of a deployment without accounts. */
export function onlyKey({ secretId, secretKey }: Pair): Keys {
  const key = { secretId, secretKey, account: ONLY_ACCOUNT }
  return { find: (wanted) => Promise.resolve(wanted === secretId ? key : undefined) }
}

/** The key pair that a secret of AWS Secrets Manager holds, read once. A read that failed is made anew. */
export function secretKey(secretArn: string): Keys {
  let reading: Promise<Keys> | undefined
  const read = () => {
    reading ??= readPair(secretArn).then(onlyKey)
    reading.catch(() => (reading = undefined))
    return reading
  }
  return { find: async (secretId) => (await read()).find(secretId) }
}

/** The client is loaded only where there is a secret to read: localhost starts without it. */
async function readPair(SecretId: string): Promise<Pair> {
  const { SecretsManagerClient, GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager')
  const { SecretString = '{}' } = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId }))
  const { secretId, secretKey } = JSON.parse(SecretString) as Partial<Pair>
  if (!secretId || !secretKey) throw new Error(`the secret ${SecretId} holds no secretId and secretKey`)
  return { secretId, secretKey }
}

/** The keys that the environment names; undefined when it names none. */
export function keysOf(environment: Readonly<Record<string, string | undefined>>): Keys | undefined {
  const arn = environment[keyVariables.secretArn]
  const secretId = environment[keyVariables.secretId]
  const secretKeyText = environment[keyVariables.secretKey]
  if (arn) return secretKey(arn)
  return secretId && secretKeyText ? onlyKey({ secretId, secretKey: secretKeyText }) : undefined
}
