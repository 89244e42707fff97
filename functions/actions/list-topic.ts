import * as v from 'valibot'
import { named } from '../../lib/domain/name.ts'
import { page, searchWord } from '../../lib/protocol/params.ts'
import { every } from '../../lib/protocol/resources.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Lists the topics whose names contain the word, by name, a page at a time (406/7407). */
export const handler = cmqHandler({
  params: v.object({ searchWord, ...page(1, 50) }),
  alsoAbout: () => [every.topic],

  async run({ searchWord: word, offset, limit }, { account, topics }) {
    const found = named(await topics.list(account), word)
    const listed = found.slice(offset, offset + limit)
    return {
      totalCount: found.length,
      topicList: listed.map(({ id, name }) => ({ topicId: id, topicName: name })),
    }
  },
})
