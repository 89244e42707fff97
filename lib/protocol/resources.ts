import { canonicalName } from '../domain/name.ts'
import type { Params } from './params.ts'

/** Where an action says what it is about, and what kind of thing that is. */
const naming = { queueName: 'queue', topicName: 'topic', deadLetterQueueName: 'queue' } as const

/** A queue or a topic as permissions name it: `queue/orders`. */
export const resource = (kind: 'queue' | 'topic', name: string): string => `${kind}/${canonicalName(name)}`

/**
 * What a request is about: the queues and topics that its action's parameters name. Only a parameter that the action takes
 * counts, so that none can be sent to seem to be about something else. `values` has lower-cased names.
 */
export const resourcesNamed = (schema: Params, values: ReadonlyMap<string, string>): readonly string[] =>
  Object.entries(naming).flatMap(([parameter, kind]) => {
    const name = parameter in schema.entries ? values.get(parameter.toLowerCase()) : undefined
    return name === undefined ? [] : [resource(kind, name)]
  })

/** What is about no single thing. As a text it is matched by those patterns alone that match everything of the kind. */
export const every = { queue: 'queue/*', topic: 'topic/*', thing: '*' } as const
