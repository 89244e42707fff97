import { text } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { awsSender, tried, type AwsAccess } from './aws-request.ts'
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
export function originOf(
  environment: Readonly<Record<string, string | undefined>>,
  access: AwsAccess,
): () => Promise<Origin> {
  const arn = environment[keyVariables.secretArn]
  const secretId = environment[keyVariables.secretId]
  const secretKey = environment[keyVariables.secretKey]
  return async () => {
    if (arn) return originFrom(await readPair(arn, access))
    if (secretId && secretKey) return originFrom({ secretId, secretKey })
    throw new Error('neither a key pair nor a secret is configured')
  }
}

/** Where the pair is all there is, it seals the other keys too: KMS guards the secret that holds it. */
export const originFrom = (first: Pair): Origin => ({ first, root: first.secretKey })

async function readPair(SecretId: string, access: AwsAccess): Promise<Pair> {
  const { SecretString = '{}' } = await tried(ATTEMPTS, () => readSecret(SecretId, access))
  const { secretId, secretKey } = fieldsOf(SecretString)
  if (!secretId || !secretKey) throw new Error(`the secret ${SecretId} holds no secretId and secretKey`)
  return { secretId, secretKey }
}

/** How often the secret is asked for: a cold start must not fail for one lost answer. */
const ATTEMPTS = 3

async function readSecret(SecretId: string, access: AwsAccess): Promise<{ readonly SecretString?: string }> {
  const { env } = process
  const endpoint = env['AWS_ENDPOINT_URL_SECRETS_MANAGER'] ?? env['AWS_ENDPOINT_URL']
  const response = await awsSender(
    'secretsmanager',
    access,
    endpoint,
  )({
    path: '/',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' },
    body: JSON.stringify({ SecretId }),
  })
  const answer = await text(response.body as Readable)
  const { statusCode, headers } = response
  if (statusCode !== 200)
    throw new Error(`Secrets Manager gave no secret: ${statusCode} ${headers['x-amzn-errortype'] ?? answer}`)
  return JSON.parse(answer) as { readonly SecretString?: string }
}

/** None where it is no JSON: that failure quotes what it could not read, and so would whatever shows it. */
function fieldsOf(text: string): Partial<Pair> {
  try {
    return (JSON.parse(text) ?? {}) as Partial<Pair>
  } catch {
    return {}
  }
}
