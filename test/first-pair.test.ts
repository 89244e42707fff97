import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { mockClient } from 'aws-sdk-client-mock'
import { describe, expect, it } from 'vitest'
import { originOf } from '../lib/first-pair.ts'
import { keyVariables } from '../lib/names.ts'

const secretsManager = mockClient(SecretsManagerClient)

/** The origin that a function with that secret begins with. */
function originWith(SecretString: string) {
  secretsManager.on(GetSecretValueCommand, { SecretId: 'arn' }).resolves({ SecretString })
  return originOf({ [keyVariables.secretArn]: 'arn' })()
}

describe('given a secret', () => {
  it('when it holds a pair, then all begins with that', async () => {
    const first = { secretId: 'AKIDa', secretKey: 'a-secret' }
    expect(await originWith(JSON.stringify(first))).toEqual({ first, root: 'a-secret' })
  })

  it.each(['hunter2', '"hunter2"', 'null', '{"secretId":"AKIDa"}', '{"password":"hunter2"}'])(
    'when it holds %s, then that is said without a word of it',
    async (text) => {
      await expect(originWith(text)).rejects.toThrow(/^the secret arn holds no secretId and secretKey$/)
    },
  )
})
