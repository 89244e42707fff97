import { describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/list-queue.ts'
import type { Answer } from '../../support/service.ts'
import { aQueueId, describeNumber, describeRequest, refusal, serviceForEachTest, success } from '../support/cmq.ts'

const cmq = serviceForEachTest()
const list = cmq.caller(handler, 'ListQueue')
const names = ({ queueList }: Answer): string[] => queueList.map(({ queueName }: { queueName: string }) => queueName)

async function create(...queueNames: string[]) {
  for (const queueName of queueNames) await cmq.ask('CreateQueue', { queueName })
}

describeRequest(list)
describeNumber(list, 'offset', { min: 0, max: 999_999_999_999_999, isOpen: true })
describeNumber(list, 'limit', { min: 1, max: 50 })

describe('given no queue', () => {
  it('when they are listed, then the list is empty and not null', async () => {
    expect(await list()).toEqual(success({ totalCount: 0, queueList: [] }))
  })
})

describe('given some queues', () => {
  it("when they are listed as in CMQ's example, then those with the word are there", async () => {
    await create('orders', 'invoices')
    const { queueId } = await cmq.ask('GetQueueAttributes', { queueName: 'orders' })
    const answer = await list({ searchWord: 'ord', offset: 0, limit: 20 })
    expect(answer).toEqual(success({ totalCount: 1, queueList: [{ queueId, queueName: 'orders' }] }))
    expect(answer.queueList[0].queueId).toEqual(aQueueId)
  })

  it('when they are listed, then they come by name without regard to case, as they are spelled', async () => {
    await create('b', 'C', 'A2', 'a10', 'a-1')
    expect(names(await list())).toEqual(['a-1', 'a10', 'A2', 'b', 'C'])
  })

  it.each([
    ['', ['Orders', 'reorder', 'x_y']],
    ['ORDER', ['Orders', 'reorder']],
    ['er', ['Orders', 'reorder']],
    ['orders', ['Orders']],
    ['_', ['x_y']],
    ['.*', []],
    ['%', []],
    ['\0', []],
    ['中', []],
  ])('when %j is searched for, then %j are found', async (searchWord, found) => {
    await create('Orders', 'reorder', 'x_y')
    expect(await list({ searchWord })).toMatchObject({ totalCount: found.length })
    expect(names(await list({ searchWord }))).toEqual(found)
  })

  it('when one is deleted, then it is not listed, even while its name is not free', async () => {
    await create('a', 'b')
    const { queues } = cmq.services
    await queues.remove(await queues.get('1250000000', 'a'), 30)
    expect(await list()).toMatchObject({ totalCount: 1, queueList: [{ queueName: 'b' }] })
  })
})

describe('given 52 queues', () => {
  const all = Array.from({ length: 52 }, (_, index) => `q${String(index).padStart(2, '0')}`)

  it('when they are listed, then there are 20 on a page, 50 at most, and totalCount counts all', async () => {
    await Promise.all(all.map((name) => create(name)))
    expect(names(await list())).toEqual(all.slice(0, 20))
    expect(names(await list({ limit: 50 }))).toEqual(all.slice(0, 50))
    expect(names(await list({ offset: 40 }))).toEqual(all.slice(40))
    expect(names(await list({ offset: 7, limit: 3, searchWord: 'q' }))).toEqual(all.slice(7, 10))
    expect(await list({ offset: 51, limit: 1 })).toHaveProperty('totalCount', 52)
    expect(await list({ offset: 52 })).toEqual(success({ totalCount: 52, queueList: [] }))
    expect(await list({ searchWord: 'q1', limit: 1 })).toHaveProperty('totalCount', 10)
  })
})

describe('given a search word', () => {
  it('when it is sent as a list, then it is refused', async () => {
    expect(await list({ 'searchWord.1': 'a' })).toEqual(
      refusal(4000, '(10330)parameter searchWord is NOT a repeatable parameter'),
    )
  })
})
