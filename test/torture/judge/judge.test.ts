import { describe, expect, it } from 'vitest'
import { START } from '../../support/clock.ts'
import { LEFT_IN_TIME, type Arrival, type Call, type History } from '../history.ts'
import type { ReceivedMessage } from '../perform.ts'
import { CALM, type Profile } from '../profile.ts'
import { bodyOf, type Act, type Op, type Strategy } from '../program.ts'
import { judge } from './judge.ts'

/** What clients and web servers have seen, in seconds from the beginning. */
interface Seen {
  readonly calls: readonly Call[]
  readonly arrivals?: readonly Arrival[]
  readonly profile?: Partial<Profile>
}

const END = 1_000

const at = (seconds: number): number => START + seconds * 1_000

const secondOf = (seconds: number): number => Math.floor(at(seconds) / 1_000)

let calls = 0

/** A call of one process, answered well unless it says otherwise. */
function call(from: number, to: number, act: Act, rest: Partial<Call> & { readonly process?: number } = {}): Call {
  const { process = 0, ...more } = rest
  const op: Op = { id: ++calls, at: 0, process, ...act }
  return {
    op,
    from: at(from),
    to: at(to),
    overAt: at(to),
    skew: 0,
    outcome: 'acknowledged',
    code: 0,
    answer: { code: 0, message: '', requestId: '' },
    faults: [],
    given: [],
    ...more,
  }
}

const orders = { queue: 'orders' } as const

const created = (attributes = {}, queue = 'orders') =>
  call(0, 0.1, { kind: 'create', queue, attributes: { msgRetentionSeconds: 345_600, ...attributes } })

/** One message is sent, and gets the id `m`. */
function sent(from: number, to: number, rest: Partial<Call> = {}): Call {
  const one = call(from, to, { kind: 'send', ...orders, sizes: [4], delay: 0 }, rest)
  const answer = { code: 0, message: '', requestId: '', msgList: [{ msgId: 'm' }] }
  return { ...one, given: [bodyOf(one.op.id, 0, 4)], ...(one.outcome === 'acknowledged' ? { answer } : {}) }
}

/** It is received, for ten seconds. */
function received(from: number, to: number, by: string, what: Call, dequeueCount = 1, rest: Partial<Call> = {}): Call {
  const message: ReceivedMessage = {
    msgBody: what.given[0] ?? '',
    msgId: 'm',
    receiptHandle: by,
    enqueueTime: Math.floor(what.from / 1_000),
    firstDequeueTime: secondOf(to),
    nextVisibleTime: secondOf(to) + 10,
    dequeueCount,
  }
  const answer = { code: 0, message: '', requestId: '', msgInfoList: [message] }
  return call(from, to, { kind: 'receive', ...orders, count: 1, wait: 0 }, { answer, ...rest })
}

const deleted = (from: number, to: number, by: string, rest: Partial<Call> = {}) =>
  call(from, to, { kind: 'delete', ...orders, back: [0] }, { given: [by], ...rest })

/** The same in the queue of dead letters. */
const buried = (what: Call): Call => ({ ...what, op: { ...what.op, queue: 'graveyard' } as Op })

/** The message that a receive got, as it says otherwise. */
function withMessage(receive: Call, otherwise: Partial<ReceivedMessage>): Call {
  const messages = (receive.answer?.['msgInfoList'] ?? []) as readonly ReceivedMessage[]
  const msgInfoList = messages.map((message) => ({ ...message, ...otherwise }))
  return { ...receive, answer: { code: 0, message: '', requestId: '', msgInfoList } }
}

const rewound = (from: number, to: number, ago = 600, rest: Partial<Call> = {}) =>
  call(from, to, { kind: 'rewind', ...orders, ago }, rest)

const unknown = { outcome: 'unknown', code: 6_000, answer: undefined } as const

function rowsOf({ calls, arrivals = [], profile = {} }: Seen): readonly string[] {
  const history: History = {
    program: { seed: 1, setUp: [], ops: [] },
    profile: { ...CALM, ...profile },
    calls: [...calls],
    arrivals: [...arrivals],
    runs: [],
    deaths: [],
    healedAt: at(END - 100),
    settledAt: at(END - 10),
    endedAt: at(END),
    troubles: [],
  }
  return judge(history).violations.map(({ row }) => row)
}

describe('given one message', () => {
  const send = sent(1, 1.1)
  const receive = received(2, 2.1, 'a', send)

  it('when it is received and deleted, then all is well', () => {
    expect(rowsOf({ calls: [created(), send, receive, deleted(3, 3.1, 'a')] })).toEqual([])
  })

  it('when it was never received, then it is lost', () => {
    expect(rowsOf({ calls: [created(), send] })).toEqual(['lost'])
  })

  it('when it is received after its deletion was acknowledged, then it is revived', () => {
    const calls = [created(), send, receive, deleted(3, 3.1, 'a'), received(20, 20.1, 'b', send, 2)]
    expect(rowsOf({ calls })).toEqual(['revived'])
  })

  it('when another gets it meanwhile, then both hold it', () => {
    const calls = [created(), send, receive, received(5, 5.1, 'b', send, 2), deleted(6, 6.1, 'b')]
    expect(rowsOf({ calls })).toEqual(['overlapping'])
  })

  it('when one answer has it twice, then that is as bad', () => {
    const [one, other] = [received(2, 20, 'a', send), received(2, 20, 'b', send, 2)]
    const msgInfoList = [one, other].flatMap(({ answer }) => (answer?.['msgInfoList'] as ReceivedMessage[]) ?? [])
    const both = { ...one, answer: { code: 0, message: '', requestId: '', msgInfoList } }
    expect(rowsOf({ calls: [created(), send, both, deleted(21, 21.1, 'b')] })).toEqual(['overlapping'])
  })

  it('when it is received before it was sent, by the same clock, then it is early', () => {
    const calls = [created(), send, received(0.2, 0.3, 'a', send), deleted(3, 3.1, 'a')]
    expect(rowsOf({ calls })).toEqual(['early'])
  })

  it('when a receive is missing in its count, then it is miscounted', () => {
    const calls = [created(), send, receive, received(20, 20.1, 'b', send, 3), deleted(21, 21.1, 'b')]
    expect(rowsOf({ calls })).toEqual(['miscounted'])
  })

  it('when a receive got no answer meanwhile, then its count may tell of that', () => {
    const silent = call(15, 15.1, { kind: 'receive', ...orders, count: 1, wait: 0 }, { ...unknown, faults: ['lost'] })
    const calls = [created(), send, receive, silent, received(30, 30.1, 'b', send, 3), deleted(31, 31.1, 'b')]
    expect(rowsOf({ calls })).toEqual([])
  })

  it.each([
    ['long before it was sent', 'lost', -80],
    ['and its server noticed that its client had gone', LEFT_IN_TIME, 15],
  ])('when a receive got no answer %s, then its count may not tell of that', (_, fault, from) => {
    const silent = call(
      from,
      from + 0.1,
      { kind: 'receive', ...orders, count: 1, wait: 0 },
      { ...unknown, faults: [fault] },
    )
    const calls = [created(), send, receive, silent, received(30, 30.1, 'b', send, 3), deleted(31, 31.1, 'b')]
    expect(rowsOf({ calls })).toEqual(['miscounted'])
  })

  it('when its server noticed that, and something else befell it, then it may have kept the message', () => {
    const faults = [LEFT_IN_TIME, 'lost before UpdateItemCommand']
    const silent = call(15, 15.1, { kind: 'receive', ...orders, count: 1, wait: 0 }, { ...unknown, faults })
    const calls = [created(), send, receive, silent, received(30, 30.1, 'b', send, 3), deleted(31, 31.1, 'b')]
    expect(rowsOf({ calls })).toEqual([])
  })

  describe('and somebody who counts while it is there', () => {
    const counted = (from: number, count: number, rest: Partial<Call> = {}) => {
      const answer = { code: 0, message: '', requestId: '', activeMsgNum: count, inactiveMsgNum: 0, delayMsgNum: 0 }
      return call(from, from + 0.1, { kind: 'count', ...orders }, { answer, ...rest })
    }
    const after = [received(20, 20.1, 'a', send), deleted(21, 21.1, 'a')]

    it.each([0, 2])('when %i are counted, then that is wrong', (count) => {
      expect(rowsOf({ calls: [created(), send, counted(10, count), ...after] })).toEqual(['unsettled'])
    })

    it.each([
      ['it', [counted(10, 1)]],
      ['nothing a moment after it was sent', [counted(1.2, 0)]],
      ['nothing while it is deleted', [counted(21.05, 0)]],
      [
        'more where an answer was lost',
        [
          call(9, 9.1, { kind: 'receive', ...orders, count: 1, wait: 0 }, { ...unknown, faults: ['lost'] }),
          counted(10, 1),
        ],
      ],
    ])('when %s is counted, then all is well', (_, counts) => {
      expect(rowsOf({ calls: [created(), send, ...counts, ...after] })).toEqual([])
    })
  })

  it('when it comes only to who has never looked before, then it is late', () => {
    const calls = [created(), send, received(END - 5, END - 4.9, 'a', send), deleted(END - 4, END - 3.9, 'a')]
    expect(rowsOf({ calls })).toEqual(['late'])
  })

  describe('and somebody who looks again and again once nothing goes wrong any more', () => {
    const looks = (from: number, to: number, every: number): readonly Call[] =>
      Array.from({ length: (to - from) / every }, (_, index) =>
        call(
          from + every * index,
          from + every * index + 0.1,
          { kind: 'receive', ...orders, count: 16, wait: 0 },
          empty,
        ),
      )
    const empty = { outcome: 'refused', code: 7_000 } as const
    const begin = END - 100
    const found = (seconds: number) => [
      received(begin + seconds, begin + seconds + 0.1, 'a', send),
      deleted(begin + seconds + 1, begin + seconds + 1.1, 'a'),
    ]

    it('when it is found after more than a minute, then it is late', () => {
      expect(rowsOf({ calls: [created(), send, ...looks(begin, begin + 85, 5), ...found(85)] })).toEqual(['late'])
    })

    it('when it is found within a minute, then all is well', () => {
      expect(rowsOf({ calls: [created(), send, ...looks(begin, begin + 60, 5), ...found(60)] })).toEqual([])
    })

    it('when nobody looked for a while, then it need not have been found by then', () => {
      const calls = [...looks(begin, begin + 20, 5), ...looks(begin + 60, begin + 85, 5)]
      expect(rowsOf({ calls: [created(), send, ...calls, ...found(85)] })).toEqual([])
    })

    it('when another held it until a moment ago, then it is found soon enough', () => {
      const held = withMessage(received(begin - 10, begin - 9, 'z', send), { nextVisibleTime: secondOf(begin + 60) })
      const [receive, ...rest] = found(85)
      const again = receive && withMessage(receive, { dequeueCount: 2 })
      const calls = [created(), send, held, ...looks(begin, begin + 85, 5), ...(again ? [again] : []), ...rest]
      expect(rowsOf({ calls })).toEqual([])
    })
  })

  it('when it is received after its retention, then it had expired', () => {
    const calls = [created({ msgRetentionSeconds: 60 }), send, received(100, 100.1, 'a', send)]
    expect(rowsOf({ calls })).toEqual(['expired'])
  })

  it('when its newest handle does not delete it while the lease holds, then that was refused', () => {
    const refused = deleted(3, 3.1, 'a', { outcome: 'refused', code: 4_430 })
    const again = [received(END - 50, END - 49.9, 'b', send, 2), deleted(END - 49, END - 48.9, 'b')]
    expect(rowsOf({ calls: [created(), send, receive, refused, ...again] })).toEqual(['refused'])
  })

  it('when another has the same body without any fault, then nothing explains that', () => {
    const twin = withMessage(received(4, 4.1, 'b', send), { msgId: 'n' })
    const calls = [created(), send, receive, deleted(3, 3.1, 'a'), twin, deleted(5, 5.1, 'b')]
    expect(rowsOf({ calls })).toEqual(['unexplained'])
  })

  it.each([
    ['lost after PutItemCommand', []],
    ['lost and late BatchWriteItemCommand', []],
    ['failed after PutItemCommand', []],
    ['late put PutItemCommand', []],
    ['failed before PutItemCommand', ['unexplained']],
    ['lost before PutItemCommand', ['unexplained']],
    ['lost after GetItemCommand', ['unexplained']],
    ['throttled PutItemCommand', ['unexplained']],
    ['slow PutItemCommand', ['unexplained']],
    ['partial BatchWriteItemCommand', ['unexplained']],
    ['the client left', ['unexplained']],
  ])('when another has the same body, and its sender has met: %s, then the rows are %j', (fault, rows) => {
    const faulty = { ...send, faults: [fault] }
    const twin = withMessage(received(4, 4.1, 'b', faulty), { msgId: 'n' })
    const calls = [created(), faulty, received(2, 2.1, 'a', faulty), deleted(3, 3.1, 'a'), twin, deleted(5, 5.1, 'b')]
    expect(rowsOf({ calls })).toEqual(rows)
  })

  it('when it is counted at the end although it is deleted, then counts do not settle', () => {
    const answer = { code: 0, message: '', requestId: '', activeMsgNum: 1, inactiveMsgNum: 0, delayMsgNum: 0 }
    const count = call(END - 2, END - 1.9, { kind: 'count', ...orders }, { answer })
    expect(rowsOf({ calls: [created(), send, receive, deleted(3, 3.1, 'a'), count] })).toEqual(['unsettled'])
  })

  describe('and a queue of dead letters', () => {
    const bury = call(1.2, 1.3, { kind: 'bury', ...orders, settings: { policy: 0, maxReceiveCount: 2 } })
    const before = [created(), created({}, 'graveyard'), send, bury]
    const deadLetter = { sourceQueueName: 'orders', policy: 0, dequeueCount: 2 }
    const dead = buried(withMessage(received(40, 40.1, 'c', send), { deadLetter }))
    const last = buried(deleted(41, 41.1, 'c'))

    it('when it was received twice and then dies, then all is well', () => {
      expect(rowsOf({ calls: [...before, receive, received(20, 20.1, 'b', send, 2), dead, last] })).toEqual([])
    })

    it('when it dies after one receive, then it is misplaced', () => {
      const early = withMessage(dead, { deadLetter: { ...deadLetter, dequeueCount: 1 } })
      expect(rowsOf({ calls: [...before, receive, early, last] })).toEqual(['misplaced'])
    })

    describe('and it was received twice', () => {
      const calls = [...before, receive, received(20, 20.1, 'b', send, 2), received(40, 40.1, 'c', send, 3)]
      const end = deleted(41, 41.1, 'c')

      it('when it is received a third time, then it is misplaced', () => {
        expect(rowsOf({ calls: [...calls, end] })).toEqual(['misplaced'])
      })

      it.each([
        ['the queue was bound anew after that', {}],
        ['it may have been', unknown],
      ])('when %s, then it may be received once more', (_, outcome) => {
        const again = call(35, 35.1, { kind: 'bury', ...orders, settings: { policy: 0, maxReceiveCount: 2 } }, outcome)
        const faults = outcome === unknown ? { faults: ['lost'] } : {}
        expect(rowsOf({ calls: [...calls, { ...again, ...faults }, end] })).toEqual([])
      })
    })

    it('when it is received in its own queue after that, then it is misplaced', () => {
      const back = received(50, 50.1, 'd', send, 2)
      expect(rowsOf({ calls: [...before, receive, dead, last, back, deleted(51, 51.1, 'd')] })).toEqual(['misplaced'])
    })
  })

  describe('and its handle is used in another queue', () => {
    const elsewhere = (rest: Partial<Call> = {}) =>
      call(3, 3.1, { kind: 'delete', queue: 'mail', back: [0], of: 'orders' }, { given: ['a'], ...rest })

    it('when that deletes, then it trespasses', () => {
      expect(rowsOf({ calls: [created(), send, receive, elsewhere(), deleted(4, 4.1, 'a')] })).toEqual(['trespassed'])
    })

    it('when that is refused, then all is well', () => {
      const refused = elsewhere({ outcome: 'refused', code: 4_430 })
      expect(rowsOf({ calls: [created(), send, receive, refused, deleted(4, 4.1, 'a')] })).toEqual([])
    })
  })

  describe('and an old handle', () => {
    const newer = received(20, 20.1, 'b', send, 2)

    it('when it deletes, then it trespasses', () => {
      expect(rowsOf({ calls: [created(), send, receive, newer, deleted(21, 21.1, 'a')] })).toEqual(['trespassed'])
    })

    it('when it is tried again without an answer, and all is deleted by then, then it may be told so', () => {
      const late = deleted(22, 23, 'a', { faults: ['lost after DeleteItemCommand'] })
      expect(rowsOf({ calls: [created(), send, receive, newer, deleted(21, 21.1, 'b'), late] })).toEqual([])
    })
  })
})

describe('given a message that was deleted, and a rewind', () => {
  const make = created({ rewindSeconds: 3_600 })
  const send = sent(1, 1.1)
  const before = [make, send, received(2, 2.1, 'a', send), deleted(3, 3.1, 'a')]
  const rewind = rewound(20, 20.1)

  it('when it comes again, then all is well', () => {
    const calls = [...before, rewind, received(21, 21.1, 'b', send), deleted(22, 22.1, 'b')]
    expect(rowsOf({ calls })).toEqual([])
  })

  it('when it does not come again, then too little was brought back', () => {
    expect(rowsOf({ calls: [...before, rewind] })).toEqual(['rewound'])
  })

  it('when it comes again without a rewind that covers it, then too much was', () => {
    const calls = [...before, rewound(20, 20.1, 5), received(21, 21.1, 'b', send), deleted(22, 22.1, 'b')]
    expect(rowsOf({ calls })).toEqual(['rewound'])
  })

  describe('and the queue was told meanwhile to keep less', () => {
    const kept = (from: number, seconds: number, rest: Partial<Call> = {}) =>
      call(from, from + 0.1, { kind: 'change', ...orders, attributes: { rewindSeconds: seconds } }, rest)
    const again = [rewound(140, 140.1), received(141, 141.1, 'b', send), deleted(142, 142.1, 'b')]

    it.each([
      ['nothing', 0],
      ['the last minute', 60],
    ])('when it comes again although it kept %s, then too much was brought back', (_, seconds) => {
      expect(rowsOf({ calls: [...before, kept(120, seconds), kept(130, 3_600), ...again] })).toEqual(['rewound'])
    })

    it.each([
      ['it kept as much as had passed since', [kept(120, 300)]],
      ['it may have kept that little before', [created({ rewindSeconds: 60 }), kept(120, 60)]],
      ['it may not have been told so', [kept(120, 0, { ...unknown, faults: ['lost'] })]],
      ['it was rewound before that', [rewound(110, 110.1), kept(120, 0)]],
      ['another change went on beside that', [kept(119.95, 30), kept(120, 60)]],
    ])('when it comes again, and %s, then all is well', (_, changes) => {
      expect(rowsOf({ calls: [...before, ...changes, kept(130, 3_600), ...again] })).toEqual([])
    })
  })

  describe('and its old handle is tried once more before it is brought back', () => {
    const faults = ['lost and late DeleteItemCommand']
    const again = [received(21, 21.1, 'b', send), deleted(22, 22.1, 'b')]

    it('when that is repeated without an answer, and finds nothing, then it comes all the same', () => {
      expect(rowsOf({ calls: [...before, rewound(4, 4.1), deleted(5, 7, 'a', { faults }), ...again] })).toEqual([])
    })

    it('when that is answered at once, then too much was brought back', () => {
      expect(rowsOf({ calls: [...before, rewound(4, 4.1), deleted(5, 5.1, 'a'), ...again] })).toEqual(['rewound'])
    })

    it('when no rewind covers the first deletion, then too much was brought back by any', () => {
      const calls = [...before, rewound(4, 4.1, 1), deleted(5, 7, 'a', { faults }), ...again]
      expect(rowsOf({ calls })).toEqual(['rewound', 'rewound'])
    })
  })

  it('when it was deleted again while the next rewind went on, then it need not come a third time', () => {
    const again = [received(21, 21.1, 'b', send), rewound(30, 31), deleted(30.2, 30.3, 'b')]
    expect(rowsOf({ calls: [...before, rewind, ...again] })).toEqual([])
  })

  it('when it came back and died, then the next rewind need not bring it', () => {
    const settings = { policy: 0, maxReceiveCount: 1 }
    const bury = call(19, 19.1, { kind: 'bury', ...orders, settings })
    const dead = buried(received(40, 40.1, 'c', send))
    const calls = [
      created({}, 'graveyard'),
      ...before,
      bury,
      rewind,
      received(21, 21.1, 'b', send),
      dead,
      buried(deleted(41, 41.1, 'c')),
    ]
    expect(rowsOf({ calls: [...calls, rewound(60, 60.1)] })).toEqual([])
  })

  it('when two hold it in its second life, then they overlap', () => {
    const both = [received(21, 21.1, 'b', send), received(22, 22.1, 'c', send, 2), deleted(23, 23.1, 'c')]
    expect(rowsOf({ calls: [...before, rewind, ...both] })).toEqual(['overlapping'])
  })

  it('when its counts go on in its second life, then it is miscounted', () => {
    const calls = [...before, rewind, received(21, 21.1, 'b', send, 2), deleted(22, 22.1, 'b')]
    expect(rowsOf({ calls })).toEqual(['miscounted'])
  })

  it('when a receive of its first life is answered late in its second, then they cannot be told apart', () => {
    const slow = received(2, 9, 'a', send)
    const second = received(2.5, 2.6, 'b', send, 2)
    const short = { nextVisibleTime: secondOf(2) }
    const calls = [
      make,
      send,
      withMessage(slow, short),
      withMessage(second, short),
      deleted(3, 3.1, 'b'),
      rewound(4, 4.1),
      received(5, 5.1, 'c', send),
      deleted(10, 10.1, 'c'),
    ]
    expect(rowsOf({ calls })).toEqual([])
  })

  it('when a handle of its first life deletes it in its second, then it trespasses', () => {
    const calls = [...before, rewound(4, 4.1), received(5, 5.1, 'b', send), deleted(6, 6.1, 'a')]
    expect(rowsOf({ calls })).toEqual(['trespassed'])
  })

  it('when the clock of who brings it back is behind, then it does not come early', () => {
    const behind = { process: 1, skew: -5_000 }
    const calls = [
      ...before,
      rewound(4, 4.1, 600, behind),
      received(4.2, 4.3, 'b', send, 1, behind),
      deleted(4.4, 4.5, 'b', behind),
    ]
    expect(rowsOf({ calls, profile: { skew: 5_000 } })).toEqual([])
  })
})

describe('given calls that failed', () => {
  it('when nothing went wrong, then that is told', () => {
    expect(rowsOf({ calls: [created(), sent(1, 2, unknown)] })).toEqual(['failed'])
  })

  it('when a call of the same process at the same time has met a fault, then they may have shared it', () => {
    const faulty = sent(0.5, 2, { ...unknown, faults: ['lost after GetItemCommand'] })
    expect(rowsOf({ calls: [created(), faulty, sent(1, 2, unknown)] })).toEqual([])
  })

  it.each([
    [9, []],
    [11, ['failed']],
  ])(
    'when its client left at 2 s, it went on to 10 s, and another fails at %i s, then the rows are %j',
    (from, rows) => {
      const left = sent(0.5, 2, { ...unknown, overAt: at(10), faults: ['the client left'] })
      expect(rowsOf({ calls: [created(), left, sent(from, from + 0.1, unknown)] })).toEqual(rows)
    },
  )

  it.each([
    ['another process', sent(1, 2, { ...unknown, op: { ...sent(0, 0).op, process: 1 } })],
    ['a later time', sent(3, 4, unknown)],
  ])('when that one was of %s, then they have not', (_, failed) => {
    const faulty = sent(0.5, 2, { ...unknown, faults: ['lost after GetItemCommand'] })
    expect(rowsOf({ calls: [created(), faulty, failed] })).toEqual(['failed'])
  })
})

describe('given keys', () => {
  it('when a secret that is not good opens the door, then somebody was admitted', () => {
    expect(rowsOf({ calls: [created(), call(1, 1.1, { kind: 'intrude', ...orders })] })).toEqual(['admitted'])
  })

  it('when a good one does not, then somebody was shut out', () => {
    const refused = { outcome: 'refused', code: 4_100 } as const
    expect(rowsOf({ calls: [created(), sent(1, 1.1, refused)] })).toEqual(['shut out'])
  })
})

describe('given actions for one message', () => {
  const flat = { code: 0, message: '', requestId: '' }
  const one = sent(1, 1.1)
  const send: Call = { ...one, answer: { ...flat, msgId: 'm' } }

  it('when it is sent and never received, then it is lost', () => {
    expect(rowsOf({ calls: [created(), send] })).toEqual(['lost'])
  })

  it('when it is received and deleted, then all is well', () => {
    const batch = received(2, 2.1, 'a', send)
    const [message] = (batch.answer?.['msgInfoList'] ?? []) as readonly ReceivedMessage[]
    const receive: Call = { ...batch, answer: { ...flat, ...message } }
    expect(rowsOf({ calls: [created(), send, receive, deleted(3, 3.1, 'a')] })).toEqual([])
  })
})

describe('given two messages that are sent one after the other once nothing goes wrong any more', () => {
  const begin = END - 90
  const sentAs = (msgId: string, from: number): Call => ({
    ...sent(begin + from, begin + from + 0.1),
    answer: { code: 0, message: '', requestId: '', msgList: [{ msgId }] },
  })
  const [first, second] = [sentAs('m', 0), sentAs('n', 1)]
  const got = (from: number, by: string, what: Call, process = 0) => {
    const one = received(begin + from, begin + from + 0.1, by, what)
    return withMessage({ ...one, op: { ...one.op, process } }, { msgId: what === first ? 'm' : 'n' })
  }
  const ended = [deleted(begin + 7, begin + 7.1, 'a'), deleted(begin + 8, begin + 8.1, 'b')]

  it('when they are received in that order, then all is well', () => {
    const calls = [created(), first, second, got(2, 'a', first), got(3, 'b', second), ...ended]
    expect(rowsOf({ calls })).toEqual([])
  })

  it('when the second comes first, then they are disordered', () => {
    const calls = [created(), first, second, got(2, 'b', second), got(3, 'a', first), ...ended]
    expect(rowsOf({ calls })).toEqual(['disordered'])
  })

  it.each([
    ['there are several shards', { shards: 2 }, 0],
    ['there are several consumers', {}, 1],
  ])('when the second comes first, but %s, then all is well', (_, attributes, process) => {
    const calls = [created(attributes), first, second, got(2, 'b', second), got(3, 'a', first, process), ...ended]
    expect(rowsOf({ calls })).toEqual([])
  })
})

describe('given a topic that is deleted', () => {
  const topic = (from: number, rest: Partial<Call> = {}) =>
    call(from, from + 0.1, { kind: 'topic', topic: 'news', filterType: 1 }, rest)
  const abolished = call(10, 10.1, { kind: 'abolish', topic: 'news' })
  const published = (from: number, delay = 0) =>
    call(from, from + 0.1, { kind: 'publish', topic: 'news', sizes: [4], delay, tags: [], routingKey: '' })

  it('when somebody publishes to it long after that, then it is back', () => {
    expect(rowsOf({ calls: [topic(0), abolished, published(20)] })).toEqual(['revived'])
  })

  it('when its name is still taken, then it is still there', () => {
    const refused = topic(20, { outcome: 'refused', code: 4_460 })
    expect(rowsOf({ calls: [topic(0), abolished, refused] })).toEqual(['revived'])
  })

  it.each([
    ['it was made again', {}],
    ['it may have been made again', unknown],
  ])('when %s before that, then all is well', (_, outcome) => {
    const again = topic(15, { ...outcome, ...(outcome === unknown ? { faults: ['lost'] } : {}) })
    expect(rowsOf({ calls: [topic(0), abolished, again, published(20)] })).toEqual([])
  })

  it('when something waits in it for its delay, then that need not come to a subscription of the next one', () => {
    const wants = { endpoint: { web: 'site' }, filter: [], strategy: 'BACKOFF_RETRY', format: 'JSON' } as const
    const subscribe = call(20, 20.1, { kind: 'subscribe', topic: 'news', name: 'one', ...wants })
    const waiting = published(5, 100)
    const calls = [topic(0), { ...waiting, given: [bodyOf(waiting.op.id, 0, 4)] }, abolished, topic(15), subscribe]
    expect(rowsOf({ calls })).toEqual([])
    expect(rowsOf({ calls: calls.filter((one) => one !== abolished) })).toEqual(['lost'])
  })
})

describe('given a subscription that is replaced by another of its name', () => {
  const subscribed = (from: number, to: number, filter: readonly string[], strategy: Strategy = 'BACKOFF_RETRY') =>
    call(from, to, {
      kind: 'subscribe',
      topic: 'news',
      name: 'one',
      endpoint: { web: 'site' },
      filter,
      strategy,
      format: 'JSON',
    })
  const unsubscribed = call(10, 11, { kind: 'unsubscribe', topic: 'news', name: 'one' })
  const topic = call(0, 0.1, { kind: 'topic', topic: 'news', filterType: 1 })

  function published(tags: readonly string[]) {
    const act = { kind: 'publish', topic: 'news', sizes: [4], delay: 0, tags, routingKey: '' } as const
    const one = call(100, 100.1, act)
    const text = bodyOf(one.op.id, 0, 4)
    const push: Arrival = {
      web: 'site',
      messageId: 'm',
      text,
      from: at(101),
      to: at(101.1),
      outcome: '200',
      faults: [],
      earlier: 0,
    }
    return { call: { ...one, given: [text] }, push }
  }

  it('when they overlap, then the second may have begun after the first had ended', () => {
    const { call: publish, push } = published(['green'])
    const calls = [topic, subscribed(1, 1.1, ['red']), subscribed(9, 12, ['green']), unsubscribed, publish]
    expect(rowsOf({ calls, arrivals: [push] })).toEqual([])
  })

  it.each([
    ['its topic was deleted meanwhile, then it may have held until then', 100.05, []],
    ['its topic was deleted long before, then it never held', 20, ['unmatched']],
  ])('when one is refused, and %s', (_, deletedAt, rows) => {
    const { call: publish, push } = published(['green'])
    const refused = { ...subscribed(99, 103, ['green']), outcome: 'refused', code: 4_440 } as const
    const abolished = call(deletedAt, deletedAt + 1, { kind: 'abolish', topic: 'news' })
    const again = call(50, 50.1, { kind: 'topic', topic: 'news', filterType: 1 })
    expect(rowsOf({ calls: [topic, again, refused, publish, abolished], arrivals: [push] })).toEqual(rows)
  })

  it('when a change was called before it began, and took long, then it may have come to it', () => {
    const { call: publish, push } = published(['green'])
    const act = { kind: 'want', topic: 'news', name: 'one', filter: ['green'], strategy: 'BACKOFF_RETRY' } as const
    const calls = [topic, call(1, 3, act), subscribed(2, 2.1, ['red']), publish]
    expect(rowsOf({ calls, arrivals: [push] })).toEqual([])
  })

  it('when the first has ended for certain, then what it wanted is not delivered', () => {
    const { call: publish, push } = published(['red'])
    const calls = [topic, subscribed(1, 1.1, ['red']), unsubscribed, subscribed(12, 12.1, ['green']), publish]
    expect(rowsOf({ calls, arrivals: [push] })).toEqual(['unmatched'])
  })

  describe('given pushes that fail', () => {
    const { call: publish, push } = published(['red'])
    const failed: Arrival = { ...push, outcome: '500' }
    const from = (seconds: number): Arrival => ({ ...push, from: at(seconds), to: at(seconds + 0.1) })
    const calls = [topic, subscribed(1, 1.1, ['red']), publish]

    it('when one is retried after the wait of its policy, then all is well', () => {
      expect(rowsOf({ calls, arrivals: [failed, from(115)] })).toEqual([])
    })

    it.each([102, 140])(
      'when it is retried at %i s, which is too early or too late, then there is a gap',
      (seconds) => {
        expect(rowsOf({ calls, arrivals: [failed, from(seconds)] })).toEqual(['gaps'])
      },
    )

    it.each([
      [15, ['gaps']],
      [16, []],
    ])(
      'when one of %i that fail is retried far later than after its long wait, then the rows are %j',
      (count, rows) => {
        const patient = subscribed(1, 1.1, ['red'], 'EXPONENTIAL_DECAY_RETRY')
        const others = Array.from({ length: count - 1 }, () => published(['red']))
        // It fails at once and after 1, 2, 4 … 64 s, and then waits for 128 s.
        const early = Array.from({ length: 8 }, (_, retry) => from(100 + 2 ** retry + 0.2 * retry))
        const retries = early.map((one): Arrival => ({ ...one, outcome: '500' }))
        const failing = others.flatMap(({ push: other }): Arrival[] => [
          { ...other, outcome: '500' },
          { ...other, from: at(102.3), to: at(800) },
        ])
        const seen = {
          calls: [topic, patient, publish, ...others.map((other) => other.call)],
          arrivals: [...retries, from(700), ...failing],
        }
        expect(rowsOf(seen)).toEqual(rows)
      },
    )

    it.each([
      ['the process died', []],
      [`standstill until ${at(130)}`, []],
      [`standstill until ${at(150)}`, ['unexplained']],
      ['lost after DeleteItemCommand', []],
      ['slow DeleteItemCommand', ['unexplained']],
    ])('when one that was made is made again, and its run has met: %s, then the rows are %j', (fault, rows) => {
      const made = { ...push, faults: [fault] }
      expect(rowsOf({ calls, arrivals: [made, from(140)] })).toEqual(rows)
    })

    it('when what has befallen its run was over by then, then nothing explains that it is made again', () => {
      const made = { ...push, faults: ['lost after DeleteItemCommand'], earlier: 1 }
      expect(rowsOf({ calls, arrivals: [made, from(140)] })).toEqual(['unexplained'])
    })

    it('when a run that has stood still makes it once more beside another run, then that explains it', () => {
      const late = { ...from(140), faults: [`standstill until ${at(140)}`], earlier: 1 }
      expect(rowsOf({ calls, arrivals: [push, late] })).toEqual([])
      expect(rowsOf({ calls, arrivals: [late, from(141)] })).toEqual(['unexplained'])
      expect(rowsOf({ calls, arrivals: [push, { ...late, from: at(141) }] })).toEqual(['unexplained'])
    })

    const attempt = (seconds: number, faults: readonly string[] = []): Arrival => ({
      ...failed,
      from: at(seconds),
      to: at(seconds + 0.1),
      faults,
    })
    const faulty = { rates: { slow: 3 } }

    it.each([
      ['slow UpdateItemCommand', ['gaps']],
      ['throttled UpdateItemCommand', ['gaps']],
      ['lost after UpdateItemCommand', []],
      ['the process died', []],
      [`standstill until ${at(101)}`, []],
    ])('when one is retried at once, and its run has met: %s, then the rows are %j', (fault, rows) => {
      expect(rowsOf({ calls, arrivals: [attempt(101, [fault]), from(102)], profile: faulty })).toEqual(rows)
    })

    it('when a run that has stood still retries too soon, then it did not know of the attempt before', () => {
      const late = { ...from(102), faults: [`standstill until ${at(102)}`], earlier: 1 }
      expect(rowsOf({ calls, arrivals: [attempt(101), late], profile: faulty })).toEqual([])
      expect(rowsOf({ calls, arrivals: [attempt(101), { ...late, earlier: 0 }], profile: faulty })).toEqual(['gaps'])
    })

    it.each([
      [[], ['gaps']],
      [['the process died'], []],
    ])('when a fifth attempt fails after %j, then the rows are %j', (faults, rows) => {
      const five = [101, 115, 130, 145, 160].map((seconds, index) => attempt(seconds, index === 0 ? faults : []))
      expect(rowsOf({ calls, arrivals: five, profile: faulty })).toEqual(rows)
    })

    it('when it is not retried, then it is lost', () => {
      expect(rowsOf({ calls, arrivals: [failed] })).toEqual(['lost'])
    })
  })
})
