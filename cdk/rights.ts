import { aws_iam as iam, type aws_kms as kms, type aws_lambda as lambda, Stack, Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/**
 * What is asked of a table: the operations, of every item; or each operation with the partition keys whose items it is
 * asked of, `*` standing for whatever follows.
 */
export type Asks = readonly string[] | Readonly<Record<string, readonly string[]>>

/** Allows actions of one service on one thing. */
export function allow(
  grantee: iam.IGrantable,
  arn: string,
  service: string,
  actions: readonly string[],
  conditions: iam.Conditions = {},
): void {
  if (actions.length > 0) grantee.grantPrincipal.addToPrincipalPolicy(statement(arn, service, actions, conditions))
}

/** Allows what is asked of a table, and nothing of other items. Each of these operations names the partition keys it is for. */
export function allowItems(grantee: iam.IGrantable, tableArn: string, asks: Asks): void {
  if (isList(asks)) return allow(grantee, tableArn, 'dynamodb', asks)
  for (const [operation, keys] of Object.entries(asks))
    allow(grantee, tableArn, 'dynamodb', [operation], { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys } })
}

const isList = (asks: Asks): asks is readonly string[] => Array.isArray(asks)

/** What a service asks of a key in the name of whoever asks the service. */
const keyActions = {
  dynamodb: ['Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo', 'GenerateDataKey', 'DescribeKey'],
  secretsmanager: ['Decrypt'],
}

/** A role, or a function with its own. */
type Grantee = iam.IGrantable & IConstruct

/** Lets a service use a key when this one asks it to. By itself he cannot use it. */
export function letUseKey(grantee: Grantee, key: kms.IKey, service: keyof typeof keyActions): void {
  const { region, urlSuffix } = Stack.of(grantee)
  const via = { StringEquals: { 'kms:ViaService': `${service}.${region}.${urlSuffix}` } }
  allow(grantee, key.keyArn, 'kms', keyActions[service], via)
}

/** Lets Lambda give a function of this role its addresses in a VPC. These actions know no narrower resource. */
export function letJoinNetwork(role: iam.Role): void {
  allow(role, '*', 'ec2', [
    'CreateNetworkInterface',
    'DescribeNetworkInterfaces',
    'DescribeSubnets',
    'DeleteNetworkInterface',
    'AssignPrivateIpAddresses',
    'UnassignPrivateIpAddresses',
  ])
  Validations.of(role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason: 'The interfaces that Lambda makes in a VPC have no names before they are made',
  })
}

/** Lets a function, or whoever has the role, start others. */
export function letStart(starter: iam.IGrantable, ...started: readonly lambda.Function[]): void {
  for (const { functionArn } of started) allow(starter, functionArn, 'lambda', ['InvokeFunction'])
}

/** Lets a function start itself. It waits for the policy of its role, which therefore cannot wait for it: this is another. */
export function letStartItself(itself: lambda.Function): void {
  const statements = [statement(itself.functionArn, 'lambda', ['InvokeFunction'])]
  itself.role?.attachInlinePolicy(new iam.Policy(itself, 'StartItself', { statements }))
}

const statement = (arn: string, service: string, actions: readonly string[], conditions: iam.Conditions = {}) =>
  new iam.PolicyStatement({ actions: actions.map((action) => `${service}:${action}`), resources: [arn], conditions })
