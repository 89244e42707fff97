import { describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/list-topic.ts'
import type { Answer } from '../../support/service.ts'
import {
  accountForEachTest,
  aTopicId,
  describeNumber,
  describeRequest,
  notRepeatable,
  success,
} from '../support/cmq.ts'

const cmq = accountForEachTest()
const list = cmq.caller(handler, 'ListTopic')
const names = ({ topicList }: Answer): string[] => topicList.map(({ topicName }: { topicName: string }) => topicName)
const create = (...topicNames: readonly string[]) =>
  Promise.all(topicNames.map((topicName) => cmq.ask('CreateTopic', { topicName })))

describeRequest(list)
describeNumber(list, 'offset', { min: 0, max: 999_999_999_999_999, isOpen: true })
describeNumber(list, 'limit', { min: 1, max: 50 })

describe('given no topic', () => {
  it('when they are listed, then the list is empty and not null', async () => {
    await cmq.ask('CreateQueue', { queueName: 'orders' })
    expect(await list()).toEqual(success({ totalCount: 0, topicList: [] }))
  })
})

describe('given some topics', () => {
  it("when they are listed as in CMQ's example, then each is there, with its id", async () => {
    await create('news')
    const { topicId } = await cmq.ask('GetTopicAttributes', { topicName: 'news' })
    const answer = await list({ limit: 20 })
    expect(answer).toEqual(success({ totalCount: 1, topicList: [{ topicId, topicName: 'news' }] }))
    expect(answer['topicList'][0].topicId).toEqual(aTopicId)
  })

  it('when they are listed, then they come by name without regard to case, as they are spelled', async () => {
    await create('b', 'C', 'A2', 'a10', 'a-1')
    expect(names(await list())).toEqual(['a-1', 'a10', 'A2', 'b', 'C'])
  })

  it('when a word is searched for, then those are found whose names contain it, to the letter', async () => {
    await create('News', 'renewal', 'x_y')
    for (const [searchWord, found] of [
      ['', ['News', 'renewal', 'x_y']],
      ['NEW', ['News', 'renewal']],
      ['ews', ['News']],
      ['_', ['x_y']],
      ['.*', []],
      ['%', []],
      ['\0', []],
      ['中', []],
    ] as const) {
      const answer = await list({ searchWord })
      expect(answer, searchWord).toMatchObject({ totalCount: found.length })
      expect(names(answer), searchWord).toEqual(found)
    }
  })

  it('when one is deleted, then it is not listed, even while its name is not free', async () => {
    await create('a', 'b')
    const { topics } = cmq.services
    await topics.remove(await topics.get(cmq.account, 'a'), 30)
    expect(await list()).toMatchObject({ totalCount: 1, topicList: [{ topicName: 'b' }] })
  })
})

describe('given 52 topics', () => {
  const all = Array.from({ length: 52 }, (_, index) => `t${String(index).padStart(2, '0')}`)

  it('when they are listed, then there are 20 on a page, 50 at most, and totalCount counts all', async () => {
    await create(...all)
    expect(names(await list())).toEqual(all.slice(0, 20))
    expect(names(await list({ limit: 50 }))).toEqual(all.slice(0, 50))
    expect(names(await list({ offset: 40 }))).toEqual(all.slice(40))
    expect(names(await list({ offset: 7, limit: 3, searchWord: 't' }))).toEqual(all.slice(7, 10))
    expect(await list({ offset: 51, limit: 1 })).toHaveProperty('totalCount', 52)
    expect(await list({ offset: 52 })).toEqual(success({ totalCount: 52, topicList: [] }))
    expect(await list({ searchWord: 't1', limit: 1 })).toHaveProperty('totalCount', 10)
  })
})

describe('given a search word', () => {
  it('when it is sent as a list, then it is refused', async () => {
    expect(await list({ 'searchWord.1': 'a' })).toEqual(notRepeatable('searchWord'))
  })
})
