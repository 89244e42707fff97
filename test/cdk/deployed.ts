import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { CmqService } from '../../cdk/cmq-service.ts'
import type { CmqServiceProps } from '../../cdk/props.ts'

/** Where the assemblies of one test file lie. */
export const outdir = mkdtempSync(join(tmpdir(), 'cmq-assembly-'))
afterAll(() => rmSync(outdir, { recursive: true }))

/** What a template must not say is an error, as it is for the app. */
export const strict = { '@aws-cdk/core:validateAgainstDefaultRules': true }

/** What a template says of one thing, beside its type. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what it holds is checked by the assertions
type Properties = Record<string, any>

interface Resource {
  readonly Type: string
  readonly Properties: Properties
}

interface Statement {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: unknown
  readonly Condition?: Readonly<Record<string, Properties>>
}

/** A service in a stack of its own, and the template that would be deployed. */
export function deployed(props?: CmqServiceProps, stackName = 'cmq') {
  const stack = new Stack(new App({ outdir, context: strict }), stackName)
  const service = new CmqService(stack, 'Default', props)
  const template = Template.fromStack(stack)
  const resources: Readonly<Record<string, Resource>> = template.toJSON().Resources
  const logicalId = (resource: { node: { defaultChild?: unknown } }): string =>
    stack.resolve((resource.node.defaultChild as { ref: unknown }).ref).Ref
  const named = (name: string) => Object.entries(resources).find(([id]) => nameOf(id) === name)?.[1]

  return {
    stack,
    service,
    template,
    resources,
    logicalId,

    /** The properties of the resource of that name. */
    propertiesOf: (name: string): Properties => plain(named(name)?.Properties) as Properties,

    /**
     * What the role of that name may do, by the resource that it may do it to: `dynamodb:GetItem topic#*` where that
     * goes for the items of such partition keys alone.
     */
    rightsOf(role: string): Readonly<Record<string, unknown>> {
      const statements = Object.values(resources)
        .filter(({ Type, Properties }) => Type === 'AWS::IAM::Policy' && plain(Properties['Roles'][0]) === `<${role}>`)
        .flatMap(({ Properties }) => Properties['PolicyDocument'].Statement as Statement[])
      if (statements.some(({ Effect }) => Effect !== 'Allow')) throw new Error('nothing is denied here')
      const rights: Record<string, unknown> = {}
      for (const { Action, Resource, Condition = {} } of statements) {
        const resource = plain(Resource) as string
        const { 'ForAllValues:StringLike': items, ...others } = Condition
        const keys: string[] | undefined = items?.['dynamodb:LeadingKeys']
        const actions = [Action].flat().flatMap((action) => keys?.map((key) => `${action} ${key}`) ?? [action])
        const before = (rights[resource] ?? []) as readonly string[]
        const isConditional = Object.keys(others).length > 0
        rights[resource] = isConditional ? { actions, condition: plain(others) } : [...before, ...actions]
      }
      return rights
    },
  }
}

/** The name that the construct gives a resource: its logical id without the hash. */
export const nameOf = (logicalId: string): string => logicalId.replace(/[0-9A-F]{8}$/, '')

/** A value of a template with its references as text: `<Registry>` is what a Ref gives, `<Registry.Arn>` its ARN. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': joined } = value as Properties
  if (Ref) return `<${nameOf(Ref)}>`
  if (attribute) return `<${nameOf(attribute[0])}.${attribute[1]}>`
  if (joined) return (joined[1] as unknown[]).map(plain).join(joined[0])
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}
