import { describe, expect, it } from 'vitest'
import { filterTypes, tagLimits, TOPIC_RETENTION, topicLimits } from '../../lib/domain/topic.ts'

describe('given the limits of topics', () => {
  it('when they are asked for, then they are those of the documents', () => {
    expect(topicLimits).toEqual({ maxMsgSize: { min: 1_024, max: 1_048_576, default: 65_536 } })
    expect(tagLimits).toEqual({ tags: 5, characters: 16 })
    expect(filterTypes).toEqual([1, 2])
  })

  it('when a message is published, then it lives for a day', () => {
    expect(TOPIC_RETENTION).toBe(24 * 60 * 60)
  })
})
