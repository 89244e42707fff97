import { keyVariables } from './names.ts'

/** A key pair as a client has it. */
export interface Pair {
  readonly secretId: string
  readonly secretKey: string
}

/** What the keys of a deployment begin with. */
export interface Origin {
  /** The pair that a deployment has before anybody has made one; who only looks after keys need not know it. */
  readonly first?: Pair
  /** What all secrets are sealed with follows from it. */
  readonly root: string
}

/** The origin that the environment names: a secret of AWS Secrets Manager, or a pair. Read when it is first needed. */
export function originOf(environment: Readonly<Record<string, string | undefined>>): () => Promise<Origin> {
  const arn = environment[keyVariables.secretArn]
  const secretId = environment[keyVariables.secretId]
  const secretKey = environment[keyVariables.secretKey]
  return async () => {
    if (arn) return originFrom(await readPair(arn))
    if (secretId && secretKey) return originFrom({ secretId, secretKey })
    throw new Error('neither a key pair nor a secret is configured')
  }
}

/** Where the pair is all there is, it seals the other keys too: KMS guards the secret that holds it. */
export const originFrom = (first: Pair): Origin => ({ first, root: first.secretKey })

/** The client is loaded only where there is a secret to read: localhost starts without it. */
async function readPair(SecretId: string): Promise<Pair> {
  const { SecretsManagerClient, GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager')
  const { SecretString = '{}' } = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId }))
  const { secretId, secretKey } = JSON.parse(SecretString) as Partial<Pair>
  if (!secretId || !secretKey) throw new Error(`the secret ${SecretId} holds no secretId and secretKey`)
  return { secretId, secretKey }
}
