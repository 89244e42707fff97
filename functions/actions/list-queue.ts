import * as v from 'valibot'
import { named } from '../../lib/domain/name.ts'
import { page, searchWord } from '../../lib/protocol/params.ts'
import { every } from '../../lib/protocol/resources.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Lists the queues whose names contain the word, by name, a page at a time (406/5833). */
export const handler = cmqHandler({
  params: v.object({ searchWord, ...page(1, 50) }),
  alsoAbout: () => [every.queue],

  async run({ searchWord: word, offset, limit }, { account, queues }) {
    const found = named(await queues.list(account), word)
    const listed = found.slice(offset, offset + limit)
    return {
      totalCount: found.length,
      queueList: listed.map(({ id, name }) => ({ queueId: id, queueName: name })),
    }
  },
})
