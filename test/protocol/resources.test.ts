import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { resource, resourcesNamed } from '../../lib/protocol/resources.ts'

const about = (parameters: readonly string[], values: Record<string, string>) =>
  resourcesNamed(
    v.object(Object.fromEntries(parameters.map((name) => [name, v.string()]))),
    new Map(Object.entries(values)),
  )

describe('given the parameters of an action', () => {
  it('when they name queues and topics, then it is about all of them', () => {
    const sent = { queuename: 'Orders', topicname: 'news', deadletterqueuename: 'Dead' }
    expect(about(['queueName', 'msgBody'], sent)).toEqual(['queue/orders'])
    expect(about(['topicName'], sent)).toEqual(['topic/news'])
    // Letters of one queue go into the other.
    expect(about(['queueName', 'deadLetterQueueName'], sent)).toEqual(['queue/orders', 'queue/dead'])
  })

  it('when none is sent, or the action takes none, then it is about nothing', () => {
    expect(about(['queueName'], {})).toEqual([])
    expect(about(['searchWord'], { queuename: 'orders' })).toEqual([])
  })
})

describe('given a name', () => {
  it('when it is one of a permission, then case does not count', () => {
    expect(resource('topic', 'News')).toBe('topic/news')
  })
})
