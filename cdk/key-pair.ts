import { type aws_kms as kms, aws_secretsmanager as secrets, type RemovalPolicy, Validations } from 'aws-cdk-lib'
import type { Construct } from 'constructs'

/**
 * The first key pair, `{"secretId":…,"secretKey":…}`. Secrets Manager makes the key at deployment, and makes it anew when
 * anything changes that is said here of how: clients would lose theirs.
 */
export function createKeyPair(
  scope: Construct,
  removalPolicy: RemovalPolicy,
  encryptionKey: kms.IKey | undefined,
): secrets.Secret {
  const secret = new secrets.Secret(scope, 'KeyPair', {
    description: 'The key pair that clients of the queue service sign with',
    generateSecretString: {
      secretStringTemplate: JSON.stringify({ secretId: `AKID${scope.node.addr.slice(-32)}` }),
      generateStringKey: 'secretKey',
      passwordLength: 32,
      excludePunctuation: true,
    },
    ...(encryptionKey ? { encryptionKey } : {}),
    removalPolicy,
  })
  Validations.of(secret).acknowledge({
    id: 'AwsSolutions-SMG4',
    reason: 'Clients have the key: a rotation that nobody tells them of would lock them out',
  })
  return secret
}
