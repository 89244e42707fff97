import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** Whose secret it is: what is sealed for one key cannot be put into another's record. */
export interface Owner {
  readonly secretId: string
  readonly account: string
}

/** Keeps secrets so that nobody who reads the tables can use them. */
export interface Sealing {
  seal(secretKey: string, owner: Owner): string
  /** Throws where it was sealed by another root, for another owner, or changed since; never telling what it holds. */
  open(sealed: string, owner: Owner): string
  /** Tells whether two secrets are the same, and nothing else of them. */
  fingerprint(secretKey: string, owner: Owner): string
}

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Seals by AES-256-GCM, under keys that follow from the root. */
export function sealing(root: string): Sealing {
  const keyFor = (purpose: string) => Buffer.from(hkdfSync('sha256', root, '', `serverless-cmq ${purpose}`, KEY_BYTES))
  const sealingKey = keyFor('sealed secrets')
  const markingKey = keyFor('fingerprints')
  const boundTo = ({ secretId, account }: Owner) => Buffer.from(JSON.stringify([secretId, account]))

  return {
    seal(secretKey, owner) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, sealingKey, nonce).setAAD(boundTo(owner))
      const text = Buffer.concat([cipher.update(secretKey, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64url')
    },

    open(sealed, owner) {
      const bytes = Buffer.from(sealed, 'base64url')
      try {
        const tag = bytes.subarray(-TAG_BYTES)
        const text = bytes.subarray(NONCE_BYTES, -TAG_BYTES)
        const decipher = createDecipheriv(CIPHER, sealingKey, bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        })
        decipher.setAAD(boundTo(owner)).setAuthTag(tag)
        return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8')
      } catch {
        throw new Error(`the secret of the key ${owner.secretId} was sealed otherwise, and cannot be opened`)
      }
    },

    fingerprint: (secretKey, owner) =>
      createHmac('sha256', markingKey).update(boundTo(owner)).update(secretKey).digest('base64url'),
  }
}
