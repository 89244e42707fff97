import { describe, expect, it } from 'vitest'
import { chosen, type Choice } from '../../lib/domain/choice.ts'
import { CmqError } from '../../lib/domain/errors.ts'

const things = [
  { name: 'Orders', tags: [{ tagKey: 'team', tagValue: 'blue' }] },
  {
    name: 'mail',
    tags: [
      { tagKey: 'team', tagValue: 'red' },
      { tagKey: 'stage', tagValue: '' },
    ],
  },
  { name: 'orders-2' },
]

const namesOf = (choice: Partial<Choice>) =>
  chosen(things, { searchWord: '', filters: [], ...choice }, 'QueueName').map(({ name }) => name)

describe('given things with names and tags', () => {
  it.each<[string, Partial<Choice>, string[]]>([
    ['nothing narrows them', {}, ['Orders', 'mail', 'orders-2']],
    ['their names contain a word', { searchWord: 'ORDERS' }, ['Orders', 'orders-2']],
    ['they have one of some names', { names: ['MAIL', 'nobody', 'orders'] }, ['Orders', 'mail']],
    ['they have none of no names', { names: [] }, []],
    ['they carry a tag', { tagKey: 'stage' }, ['mail']],
    [
      'a filter has a word of their names',
      { filters: [{ name: 'QueueName', values: ['2', 'AIL'] }] },
      ['mail', 'orders-2'],
    ],
    ['a filter has the value of a tag', { filters: [{ name: 'tag:team', values: ['blue', 'green'] }] }, ['Orders']],
    ['a filter has an empty value', { filters: [{ name: 'tag:stage', values: [''] }] }, ['mail']],
    ['everything narrows them', { searchWord: 'a', names: ['mail'], tagKey: 'team', filters: [] }, ['mail']],
  ])('when %s, then those are chosen', (_, choice, expected) => {
    expect(namesOf(choice)).toEqual(expected)
  })

  it.each(['TopicName', 'queueName', 'tag', ''])('when a filter is called %j, then it is refused', (name) => {
    expect(() => namesOf({ filters: [{ name, values: ['x'] }] })).toThrow(
      new CmqError('parameterOutOfRange', 'filters'),
    )
  })
})
