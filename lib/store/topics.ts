import { CmqError } from '../domain/errors.ts'
import { canonicalName } from '../domain/name.ts'
import type { Clock, Seconds } from '../domain/time.ts'
import { filterTypes, type FilterType, type Topic, type TopicChange } from '../domain/topic.ts'
import { numberIn, required, textIn } from './attributes.ts'
import type { Database, Item } from './database.ts'
import { notesOf, writeNotes } from './notes.ts'
import { records, reservedFor, type Kind, type RecordsOptions } from './records.ts'

/** The topics of the accounts: pk `account#<appId>`, sk `topic#<name>`, the name in lower case. */
export interface Topics {
  /** The topic as it was at most a second ago. Throws `topicNotFound`. */
  get(account: string, name: string): Promise<Topic>
  /** The topic as it is now. Throws `topicNotFound`. */
  read(account: string, name: string): Promise<Topic>
  /** False when the name is taken. Throws `topicNameInRelease` where the wait after a deletion is not over. */
  create(topic: Topic): Promise<boolean>
  /** Changes the named attributes; false when the topic is no longer as it was read. `changeId` is this call's alone. */
  change(topic: Topic, change: TopicChange, changeId: string): Promise<boolean>
  /** False when this very topic is gone. Its name is free again after `freeAfter`. */
  remove(topic: Topic, freeAfter: Seconds): Promise<boolean>
  /** All topics of the account, by name. */
  list(account: string): Promise<readonly Topic[]>
}

/** The topics of a table. */
export function topics(db: Database, table: string, clock: Clock, options: RecordsOptions): Topics {
  const stored = records(db, table, clock, options, kind)

  return {
    get: async (account, name) => existing(await stored.get(placeOf({ account, name }))),
    read: async (account, name) => existing(await stored.read(placeOf({ account, name }))),
    list: (account) => stored.list(partitionOf(account)),

    async create(topic) {
      const outcome = await stored.create(topic)
      if (outcome === 'in release') throw new CmqError('topicNameInRelease')
      return outcome === 'created'
    },

    async change(topic, change, changeId) {
      const isChanged = await stored.change(topic, change, changeId)
      await stored.spread(topic)
      return isChanged
    },

    async remove(topic, freeAfter) {
      const isRemoved = await stored.remove(topic, reservedFor(freeAfter, options))
      await stored.spread(topic)
      return isRemoved
    },
  }
}

function existing(topic: Topic | undefined): Topic {
  if (!topic) throw new CmqError('topicNotFound')
  return topic
}

const partitionOf = (account: string): string => `account#${account}`

const placeOf = ({ account, name }: Pick<Topic, 'account' | 'name'>) => ({
  pk: partitionOf(account),
  sk: `topic#${canonicalName(name)}`,
})

const kind: Kind<Topic, TopicChange> = {
  prefix: 'topic#',
  placeOf,
  valuesOf: ({ account: _, ...topic }) => writeNotes(topic),
  changesOf: writeNotes,
  read: topicOf,
}

function topicOf(item: Item): Topic {
  const text = (name: string) => required(textIn(item, name), name)
  const number = (name: string) => required(numberIn(item, name), name)
  return {
    account: text('pk').slice('account#'.length),
    name: text('name'),
    id: text('id'),
    changeId: text('changeId'),
    maxMsgSize: number('maxMsgSize'),
    filterType: filterTypeOf(number('filterType')),
    createdAt: number('createdAt'),
    modifiedAt: number('modifiedAt'),
    ...notesOf(item),
  }
}

const filterTypeOf = (value: number): FilterType =>
  required(
    filterTypes.find((type) => type === value),
    'filterType',
  )
