import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/list-subscription-by-topic.ts'
import type { Answer } from '../../support/service.ts'
import {
  accountForEachTest,
  aSubscriptionId,
  describeNumber,
  describeRequest,
  describeTopic,
  notRepeatable,
  success,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const list = cmq.caller(handler, 'ListSubscriptionByTopic', { topicName: 'news' })
const names = ({ subscriptionList }: Answer): string[] =>
  subscriptionList.map(({ subscriptionName }: { subscriptionName: string }) => subscriptionName)

beforeEach(() => news.create())

describeRequest(list)
describeTopic(list)
describeNumber(list, 'offset', { min: 0, max: 999_999_999_999_999, isOpen: true })
describeNumber(list, 'limit', { min: 0, max: 100 })

describe('given a topic without subscriptions', () => {
  it('when they are listed, then the list is empty and not null', async () => {
    await cmq.ask('CreateTopic', { topicName: 'other' })
    await news.subscribeWeb('mail', { topicName: 'other' })
    expect(await list()).toEqual(success({ totalCount: 0, subscriptionList: [] }))
  })
})

describe('given some subscriptions', () => {
  it("when they are listed as in CMQ's example, then each is there, with its id and its endpoint", async () => {
    const { subscriptionId } = await news.subscribeWeb('mail', { 'filterTag.1': 'red' })
    const { subscriptionId: other } = await news.subscribeQueue('orders')
    expect(subscriptionId).toEqual(aSubscriptionId)
    expect(await list({ limit: 20 })).toEqual(
      success({
        totalCount: 2,
        subscriptionList: [
          { subscriptionId, subscriptionName: 'mail', protocol: 'http', endpoint: 'http://example.com/hook' },
          { subscriptionId: other, subscriptionName: 'orders', protocol: 'queue', endpoint: 'orders' },
        ],
      }),
    )
  })

  it('when they are listed, then they come by name without regard to case, as they are spelled', async () => {
    for (const name of ['b', 'C', 'A2', 'a10', 'a-1']) await news.subscribeWeb(name)
    expect(names(await list())).toEqual(['a-1', 'a10', 'A2', 'b', 'C'])
  })

  it('when a word is searched for, then those are found whose names contain it, to the letter', async () => {
    for (const name of ['Mail', 'gmail', 'x_y']) await news.subscribeWeb(name)
    for (const [searchWord, found] of [
      ['', ['gmail', 'Mail', 'x_y']],
      ['MAIL', ['gmail', 'Mail']],
      ['gm', ['gmail']],
      ['_', ['x_y']],
      ['.*', []],
      ['%', []],
      ['example', []],
    ] as const) {
      const answer = await list({ searchWord })
      expect(answer, searchWord).toMatchObject({ totalCount: found.length })
      expect(names(answer), searchWord).toEqual(found)
    }
  })

  it('when keys have a trailing blank, as an SDK sends them, then they are found', async () => {
    for (const name of ['mail', 'gmail', 'pager']) await news.subscribeWeb(name)
    const answer = await list({ 'searchWord ': 'mail', 'offset ': 1, 'limit ': 1 })
    expect(answer).toMatchObject({ totalCount: 2, subscriptionList: [{ subscriptionName: 'mail' }] })
  })

  it('when one has ended, then it is not listed', async () => {
    await news.subscribeWeb('a')
    await news.subscribeWeb('b')
    await cmq.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'a' })
    expect(await list()).toMatchObject({ totalCount: 1, subscriptionList: [{ subscriptionName: 'b' }] })
  })
})

describe('given 102 subscriptions', () => {
  const all = Array.from({ length: 102 }, (_, index) => `s${String(index).padStart(3, '0')}`)

  it('when they are listed, then there are 20 on a page, 100 at most, none at 0, and totalCount counts all', async () => {
    await news.subscribeWeb('s000')
    const first = await news.subscription('s000')
    const others = all.slice(1).map((name) => ({ ...first, name, id: `subsc-${name}` }))
    await Promise.all(others.map((other) => cmq.services.subscriptions.create(other)))
    expect(names(await list())).toEqual(all.slice(0, 20))
    expect(names(await list({ limit: 100 }))).toEqual(all.slice(0, 100))
    expect(names(await list({ offset: 90 }))).toEqual(all.slice(90))
    expect(names(await list({ offset: 7, limit: 3, searchWord: 's' }))).toEqual(all.slice(7, 10))
    expect(await list({ limit: 0 })).toEqual(success({ totalCount: 102, subscriptionList: [] }))
    expect(await list({ offset: 102 })).toEqual(success({ totalCount: 102, subscriptionList: [] }))
    expect(await list({ searchWord: 's01', limit: 1 })).toHaveProperty('totalCount', 10)
  })
})

describe('given a search word', () => {
  it('when it is sent as a list, then it is refused', async () => {
    expect(await list({ 'searchWord.1': 'a' })).toEqual(notRepeatable('searchWord'))
  })
})
