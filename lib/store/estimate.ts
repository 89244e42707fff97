import type { Instant } from '../domain/time.ts'
import type { Lane } from './lane.ts'
import { NONE, scaled, sum, tally, total, type MessageCounts } from './message-counts.ts'
import { instantOfKey, keyAfter, keyAt, LAST_KEY } from './message-item.ts'

/** What an estimate is made with. */
export interface Looking {
  readonly lane: Pick<Lane, 'survey'>
  readonly partition: string
  readonly now: Instant
  /** About so many messages are counted for it. */
  readonly sample: number
  /** Whether this part of its time has passed. */
  isOver(part: number): boolean
}

/** A part of a lane's time, both ends included. */
interface Span {
  readonly opens: Instant
  readonly closes: Instant
}

/** One of which it is known about how many messages it may hold. */
interface Stretch extends Span {
  readonly guess: number
}

/** A glance reads so many messages from the beginning of a stretch. There is one for so many of the sample, and so many at once. */
const GLANCE = 25
const MESSAGES_A_GLANCE = 60
const AT_ONCE = 64

/** Windows are counted in so many turns at least, since time may run out between them. */
const TURNS = 10

/** Of a window, one page holds so many. */
const PAGE = 1_000

/** Of the time, so much is for glances. */
const GLANCING = 0.4

/**
 * Estimates what lies from a key on. First it divides the time into stretches that hold about as much each, by glances: where
 * most may be it looks closer. Then it counts what lies in a window of each, all of the same part, wherever in it. So
 * whatever the stretches are, what was counted is that part of the whole, give or take chance; that they hold alike, and
 * each evenly, is what makes chance small.
 */
export async function estimate(looking: Looking, from: string): Promise<MessageCounts> {
  const { lane, partition } = looking
  const end = await lane.survey(partition, { from, to: LAST_KEY, limit: 1, consistent: false, isBackwards: true })
  const [newest] = end.states
  if (!newest) return NONE
  // What is left of the instant in which the key lies.
  const first = await count(looking, from, keyAfter(instantOfKey(from)))
  const whole = { opens: instantOfKey(from) + 1, closes: newest.visibleAt }
  return sum(first, await sampled(looking, await divided(looking, whole)))
}

/** Divides a time into stretches, of which those that hold nothing are left out. */
async function divided(looking: Looking, whole: Span): Promise<readonly Stretch[]> {
  const glanceAt = async (parts: readonly Span[]) =>
    (await Promise.all(parts.map((part) => glance(looking, part)))).flat()

  const glances = looking.sample / MESSAGES_A_GLANCE
  const sides = sidesOf(whole, looking.now)
  let stretches = await glanceAt(sides.flatMap((side) => parts(side, AT_ONCE / sides.length)))
  for (let made = AT_ONCE; made < glances && !looking.isOver(GLANCING); made += AT_ONCE) {
    // There all of them will be counted.
    if (guessOf(stretches) <= looking.sample) break
    stretches = stretches.toSorted((a, b) => b.guess - a.guess)
    const largest = stretches.slice(0, AT_ONCE / 2)
    stretches = [...stretches.slice(AT_ONCE / 2), ...(await glanceAt(largest.flatMap((one) => parts(one, 2))))]
  }
  return stretches
}

/** What is visible, and what is delayed: the one may be all there is, and the other lie in a small part of its time. */
const sidesOf = (whole: Span, now: Instant): readonly Span[] =>
  whole.opens <= now && now < whole.closes
    ? [
        { opens: whole.opens, closes: now },
        { opens: now + 1, closes: whole.closes },
      ]
    : [whole]

/** Cuts a stretch into so many of the same length, or fewer where it is short. */
function parts({ opens, closes }: Span, count: number): readonly Span[] {
  const width = (closes + 1 - opens) / count
  const cuts = [...new Set(Array.from({ length: count }, (_, index) => Math.floor(opens + index * width)))]
  return cuts.map((cut, index) => ({ opens: cut, closes: (cuts[index + 1] ?? closes + 1) - 1 }))
}

/** Guesses what a stretch holds: rather too much, as it is then looked at again. It begins where its first message is. */
async function glance({ lane, partition }: Looking, { opens, closes }: Span): Promise<Stretch[]> {
  const range = { from: keyAt(opens), to: keyAfter(closes), limit: GLANCE, consistent: false }
  const { states, next } = await lane.survey(partition, range)
  const [first, last] = [states.at(0)?.visibleAt, states.at(-1)?.visibleAt]
  if (first === undefined || last === undefined) return []
  if (next === undefined) return [{ opens: first, closes: last, guess: states.length }]
  return [{ opens: first, closes, guess: (states.length * (closes + 1 - first)) / (last + 1 - first) }]
}

/** Counts a window of each stretch, and takes that for the part of the stretch that it is. */
async function sampled(looking: Looking, stretches: readonly Stretch[]): Promise<MessageCounts> {
  const guessed = guessOf(stretches)
  const least = Math.min(1, looking.sample / guessed)
  let [counts, seen, read, placed] = [NONE, 0, 0, 0]
  for (const turn of turnsOf(stretches)) {
    // What there is no time for is guessed as wrongly as what was counted was.
    if (seen > 0 && looking.isOver(1)) break
    // Guesses are rather too high: as soon as that shows there is room to look closer.
    const wrongness = seen > 0 ? Math.max(total(counts), 1) / seen : 1
    const part = Math.max(least, Math.min(1, (looking.sample - read) / ((guessed - seen) * wrongness)))
    const windows = await Promise.all(turn.map((stretch) => countWindow(looking, stretch, part, placed++)))
    counts = windows.map((window) => window.counts).reduce(sum, counts)
    read += windows.reduce((all, window) => all + window.read, 0)
    seen += guessOf(turn)
  }
  return seen === 0 ? NONE : scaled(counts, guessed / seen)
}

const guessOf = (stretches: readonly Stretch[]): number => stretches.reduce((all, { guess }) => all + guess, 0)

/** In turns that are alike: each has stretches of every time. */
function turnsOf(stretches: readonly Stretch[]): readonly (readonly Stretch[])[] {
  const turns = Math.max(TURNS, Math.ceil(stretches.length / AT_ONCE))
  const inOrder = stretches.toSorted((a, b) => a.opens - b.opens)
  return Array.from({ length: turns }, (_, turn) => inOrder.filter((_one, index) => index % turns === turn))
}

/** Places that lie evenly, and at nobody's beat. */
const GOLDEN = (Math.sqrt(5) - 1) / 2

/** A window that reaches beyond the end goes on at the beginning, so that every instant is as likely to lie in one. */
async function countWindow(looking: Looking, { opens, closes }: Stretch, part: number, place: number) {
  const length = closes + 1 - opens
  const width = Math.max(1, Math.round(length * part))
  const begin = opens + Math.floor(((place * GOLDEN) % 1) * length)
  const end = begin + width - 1
  const pieces = [count(looking, keyAt(begin), keyAfter(Math.min(end, closes)))]
  if (end > closes) pieces.push(count(looking, keyAt(opens), keyAfter(end - length)))
  const counted = (await Promise.all(pieces)).reduce(sum)
  return { counts: scaled(counted, length / width), read: total(counted) }
}

/** Counts from key to key. */
async function count(looking: Looking, from: string, to: string) {
  let counts = NONE
  for (let begin = from; ;) {
    const range = { from: begin, to, limit: PAGE, consistent: false }
    const { states, next } = await looking.lane.survey(looking.partition, range)
    counts = sum(counts, tally(states, looking.now))
    if (next === undefined) return counts
    begin = next
  }
}
