import type { Interval } from './model.ts'
import {
  promise,
  shown,
  wantedWithin,
  type Attempt,
  type Delivery,
  type History,
  type Promised,
  type Published,
  type Strategy,
  type Subscribed,
} from './topic-model.ts'

const DAY = 86_400_000

/** A runner that waits looks every second. */
const LOOK = 1_000

/** How long a count may be told after it was read. */
const KEPT = 1_000

/** The net casts every minute, and a lease of a dead process holds half of one. */
const NET_AND_LEASE = 60_000 + 30_000 + 5_000

/** Reads of a body, and the record of a subscription, are this old at most when calls of DynamoDB fail. */
const SLOWED_BY_FAULTS = 20_000

/** Throws at the first promise that the history breaks. All that was to come has come by `end`. */
export function judge(history: History, end: number): void {
  const { promised, messages, deliveries, subscribed, received } = history
  for (const message of messages) {
    checkWhoGets(history, message, end)
    checkQueues(history, message, end)
  }
  for (const { text } of received)
    promise(
      messages.some((message) => message.text === text),
      `${shown(text)} is known`,
    )
  for (const delivery of deliveries) {
    checkNumbers(history, delivery)
    checkTimes(history, delivery)
    checkDrops(history, delivery)
    checkEnd(history, delivery)
    checkApart(history, delivery)
  }
  for (const one of subscribed) {
    if (promised.window === 1) checkOrder(history, one)
    if (!promised.faults) checkLateness(history, one, end)
  }
}

/** Until when it may be decided who gets a message, from when on. */
function decided({ promised }: History, { publishing }: Published, end: number): Interval {
  const { from, to, delaySeconds, outcome } = publishing
  if (delaySeconds === 0) return { from, to: Math.min(to, end) }
  const dueAt = from + delaySeconds * 1000
  const isCalm = !promised.crashes && !promised.faults && outcome === 'acknowledged'
  return { from: dueAt, to: isCalm ? to + delaySeconds * 1000 + LOOK : end }
}

/** How many deliveries wait for a subscription, from the least to the most that may be told: a count is kept a second. */
export function waiting(history: History, one: Subscribed, now: number): { least: number; most: number } {
  const claims = history.messages.map((message) => {
    const delivery = history.deliveries.find((other) => other.subscribed === one && other.message === message)
    const born = bornBy({ message })
    const resolved = delivery ? resolvedAt(delivery) : Infinity
    if (born.from > now || resolved <= now - KEPT) return 'must not'
    const claimed = claim(history, one, message, now)
    const isSure = resolved === Infinity && decided(history, message, now).to < now - KEPT
    return claimed === 'must' && !isSure ? 'may' : claimed
  })
  return {
    least: claims.filter((claimed) => claimed === 'must').length,
    most: claims.filter((claimed) => claimed !== 'must not').length,
  }
}

/** Whether a subscription gets a message: for certain, or possibly, by what may have held while that was decided. */
function claim(history: History, one: Subscribed, message: Published, end: number): 'must' | 'may' | 'must not' {
  const { filterType } = history.promised
  const span = decided(history, message, end)
  const { outcome } = message.publishing
  const ended = one.ended ?? { from: Infinity, to: Infinity }
  const mayExist = one.begun.from <= span.to && ended.to >= span.from
  const matches = wantedWithin(one, span).map((wants) => isWanted(filterType, wants, message.publishing))
  if (!mayExist || !matches.includes(true)) return 'must not'
  const isCertain =
    message.givenUpAt === undefined && one.begun.to < span.from && ended.from === Infinity && !matches.includes(false)
  return isCertain && outcome !== 'unknown' ? 'must' : 'may'
}

function isWanted(
  filterType: 1 | 2,
  { filterTags, bindingKeys }: { filterTags: readonly string[]; bindingKeys: readonly string[] },
  { tags, routingKey }: { tags: readonly string[]; routingKey: string },
): boolean {
  if (filterType === 1) return filterTags.length === 0 || tags.some((tag) => filterTags.includes(tag))
  return bindingKeys.some((key) => isBound(key.split('.'), routingKey.split('.')))
}

/** `*` is one word, `#` any number of them (406/8127). */
function isBound([pattern, ...patterns]: readonly string[], words: readonly string[]): boolean {
  if (pattern === undefined) return words.length === 0
  if (pattern === '#')
    return words.length > 0
      ? isBound(patterns, words) || isBound(['#', ...patterns], words.slice(1))
      : isBound(patterns, words)
  const [word, ...others] = words
  return word !== undefined && (pattern === word || (pattern === '*' && word !== '')) && isBound(patterns, others)
}

/** Whoever has a claim to a message has got it, or was told that it was given up; nobody else has. */
function checkWhoGets(history: History, message: Published, end: number): void {
  const { subscribed, deliveries, promised } = history
  const isCalm = !promised.crashes && !promised.faults
  const { outcome, delaySeconds } = message.publishing
  const claims = subscribed.map((one) => claim(history, one, message, end))
  const name = shown(message.text)
  const { givenUpAt = Infinity } = message
  promise(givenUpAt >= bornBy({ message }).from + DAY, `${name} is not given up before it is published`)
  if (outcome === 'refused') promise(!claims.includes('must'), `${name} is accepted, since somebody wants it`)
  if (outcome === 'acknowledged' && delaySeconds === 0)
    promise(!claims.every((claimed) => claimed === 'must not'), `${name} is refused, since nobody wants it`)
  for (const [index, one] of subscribed.entries()) {
    const claimed = outcome === 'refused' ? 'must not' : claims[index]
    const delivery = deliveries.find((other) => other.subscribed === one && other.message === message)
    const name = `${shown(message.text)} for ${one.name} (${one.endpoint})`
    if (delivery) promise(claimed !== 'must not', `${name} is not wanted`)
    if (one.protocol === 'queue') continue
    const made = delivery?.attempts.filter(isMade) ?? []
    const drops = delivery?.drops ?? []
    if (claimed === 'must')
      promise(made.length > 0 || isGivenUp(history, message, delivery), `${name} is delivered, or given up`)
    if (isCalm) promise(made.length + drops.length <= 1, `${name} is delivered once`)
  }
}

/** Whether it was told that nobody will try any more; or, where processes die before they tell, was bound to be. */
function isGivenUp({ crashes }: History, message: Published, delivery: Delivery | undefined): boolean {
  if (delivery && delivery.drops.length > 0) return true
  const last = delivery?.attempts.findLast(({ number }) => number !== undefined)
  const overAt = bornBy({ message }).from + DAY
  return crashes.some((at) => at >= overAt || (last !== undefined && last.nextDueAt === undefined && at >= last.to))
}

export const isMade = ({ outcome = '' }: Attempt): boolean => outcome.startsWith('2') || outcome === 'sent'

/** In each queue there are as many messages as subscriptions have put it there. */
function checkQueues(history: History, message: Published, end: number): void {
  const { subscribed, deliveries, received, queues, promised } = history
  const { publishing, text } = message
  for (const [queue, { madeBy, maxMsgSize, enlargedBy }] of queues) {
    const fillers = subscribed.filter(({ protocol, endpoint }) => protocol === 'queue' && endpoint === queue)
    const claims = fillers.map((one) => {
      const delivery = deliveries.find((other) => other.subscribed === one && other.message === message)
      if (publishing.outcome === 'refused') return 'must not'
      return isGivenUp(history, message, delivery) && !delivery?.attempts.some(isMade)
        ? 'dropped'
        : claim(history, one, message, end)
    })
    const least = claims.filter((claimed) => claimed === 'must').length
    const most = claims.filter((claimed) => claimed === 'must' || claimed === 'may').length
    const there = received.filter((one) => one.queue === queue && one.text === text)
    const name = `${shown(text)} in ${queue}`
    promise(there.length >= least, `${name} is there ${least} times, not ${there.length}`)
    const isCalm = !promised.crashes && !promised.faults
    if (isCalm) promise(there.length <= most, `${name} is there at most ${most} times, not ${there.length}`)
    promise(there.length === 0 || claims.some((one) => one !== 'must not'), `${name} is wanted`)

    const dueAt = publishing.from + publishing.delaySeconds * 1000
    const isDirect =
      publishing.outcome === 'acknowledged' &&
      madeBy < publishing.from &&
      (Buffer.byteLength(text) <= maxMsgSize || enlargedBy < publishing.from)
    for (const { enqueuedAt } of there) {
      promise(enqueuedAt + 999 >= dueAt, `${name} is not early`)
      const latest = publishing.to + publishing.delaySeconds * 1000 + (publishing.delaySeconds === 0 ? 0 : LOOK)
      if (isCalm && isDirect) promise(enqueuedAt <= latest, `${name} is there in time`)
    }
    const inTime = there.filter(({ enqueuedAt }) => enqueuedAt <= publishing.to)
    if (isDirect && publishing.delaySeconds === 0)
      promise(inTime.length >= least, `${name} is there before its publish is answered`)
  }
}

/** Retries that each strategy has. */
const RETRIES: Readonly<Record<Strategy, number>> = { BACKOFF_RETRY: 3, EXPONENTIAL_DECAY_RETRY: 176 }

/** The shortest and the longest wait before a retry, in milliseconds. */
const waits = (strategy: Strategy, retry: number): readonly [least: number, most: number] =>
  strategy === 'BACKOFF_RETRY'
    ? [10_000, 20_000]
    : [Math.min(512, 2 ** (retry - 1)) * 1000, Math.min(512, 2 ** (retry - 1)) * 1000]

const strategiesAt = (one: Subscribed, { from, to }: Interval): readonly Strategy[] => [
  ...new Set(wantedWithin(one, { from: from - LOOK, to }).map(({ strategy }) => strategy)),
]

/** Whether a message may be copied twice to one subscription, so that two deliveries go by one id. */
const isTwice = ({ promised }: History, { message }: Delivery): boolean =>
  (promised.crashes || promised.faults) && message?.publishing.delaySeconds !== 0

/** Attempts are numbered from 1, and as many as the strategy has. */
function checkNumbers(history: History, delivery: Delivery): void {
  const { promised } = history
  const isCalm = !promised.crashes && !promised.faults
  const name = nameOf(delivery)
  let last = 0
  for (const [index, attempt] of delivery.attempts.entries()) {
    const { number } = attempt
    if (number === undefined) {
      promise(!isCalm || attempt.outcome === undefined, `attempt ${index + 1} at ${name} is logged`)
      continue
    }
    if (isCalm) promise(number === index + 1, `attempt ${index + 1} at ${name} is not told as ${number}`)
    promise(number <= 177, `${name} is tried 177 times at most`)
    if (!isTwice(history, delivery))
      promise(number === last + 1 || (!isCalm && number === last), `attempt ${number} at ${name} follows ${last}`)
    last = number
    if (isMade(attempt)) continue
    const strategies = strategiesAt(delivery.subscribed, attempt)
    const goesOn = strategies.some((strategy) => number <= RETRIES[strategy])
    const ends = strategies.some((strategy) => number > RETRIES[strategy])
    const isNearEnd = attempt.to + 512_000 >= bornBy(delivery).from + DAY
    if (attempt.nextDueAt === undefined) promise(ends || isNearEnd, `${name} is not given up after ${number} attempts`)
    else {
      promise(goesOn, `${name} is given up after ${number} attempts`)
      const wait = attempt.nextDueAt - attempt.to
      promise(
        strategies.some((strategy) => {
          const [least, most] = waits(strategy, number)
          return wait >= least && (wait <= most || promised.faults)
        }),
        `the wait of ${name} after attempt ${number} is not ${wait}`,
      )
    }
  }
}

/** When the delivery may have been stored. */
function bornBy({ message }: Pick<Delivery, 'message'>): Interval {
  if (!message) return { from: -Infinity, to: Infinity }
  const { from, to, delaySeconds } = message.publishing
  return { from: from + delaySeconds * 1000, to: to + delaySeconds * 1000 }
}

/** Nothing is pushed before it is published and due, and no retry before its wait is over. */
function checkTimes(history: History, delivery: Delivery): void {
  const name = nameOf(delivery)
  const { attempts } = delivery
  for (const [index, attempt] of attempts.entries()) {
    promise(attempt.from >= bornBy(delivery).from, `${name} is not pushed early`)
    const { number = 1 } = attempt
    if (number === 1 || isTwice(history, delivery)) continue
    const before = attempts.slice(0, index).filter((other) => other.number === number - 1)
    const dueAt = Math.min(...before.map(({ nextDueAt = Infinity }) => nextDueAt))
    promise(attempt.from >= dueAt, `attempt ${number} at ${name} is not ${dueAt - attempt.from} ms early`)
  }
}

/** What is given up has had all its attempts, or its day. */
function checkDrops(history: History, delivery: Delivery): void {
  const { promised } = history
  const name = nameOf(delivery)
  const isCalm = !promised.crashes && !promised.faults
  for (const { at, why } of delivery.drops) {
    promise(why !== 'body missing', `the body of ${name} is there`)
    const last = delivery.attempts.findLast(({ to, number }) => to <= at && number !== undefined)
    const isTired = last !== undefined && last.nextDueAt === undefined
    const isOver = at >= bornBy(delivery).from + DAY
    promise(isTired || isOver || isTwice(history, delivery), `${name} is not given up yet`)
    if (isCalm) promise(!delivery.attempts.some(({ to }) => to > at), `${name} is not pushed any more`)
  }
  const failed = delivery.attempts.find(
    ({ outcome, number, nextDueAt }) =>
      outcome !== undefined &&
      number !== undefined &&
      nextDueAt === undefined &&
      !outcome.startsWith('2') &&
      outcome !== 'sent',
  )
  if (isCalm && failed) promise(delivery.drops.length === 1, `it is told that ${name} is given up`)
}

/** Nothing begins after Unsubscribe was answered. */
function checkEnd({ promised }: History, delivery: Delivery): void {
  const { ended } = delivery.subscribed
  if (!ended) return
  const slack = promised.faults ? SLOWED_BY_FAULTS : 0
  for (const { from } of delivery.attempts)
    promise(from <= ended.to + slack, `${nameOf(delivery)} is not pushed ${from - ended.to} ms after its end`)
}

/** No two attempts at one time: also what a dead process has begun is over before another begins. */
function checkApart(history: History, delivery: Delivery): void {
  if (isTwice(history, delivery)) return
  for (const [index, attempt] of delivery.attempts.entries())
    for (const other of delivery.attempts.slice(0, index))
      promise(
        // Whoever is alone knows that the leases of the dead are void.
        attempt.from >= other.to || (other.isDead && (history.promised.faults || history.promised.isAlone)),
        `${nameOf(delivery)} is not tried twice at once`,
      )
}

/** When nobody has to push it any more. */
const resolvedAt = ({ attempts, drops }: Delivery): number =>
  Math.min(...attempts.filter(isMade).map(({ to }) => to), ...drops.map(({ at }) => at), Infinity)

/** With a window of 1 nothing is tried while an earlier message of the same publisher is not through. */
function checkOrder(history: History, one: Subscribed): void {
  const ours = history.deliveries.filter((delivery) => delivery.subscribed === one && isPlain(delivery))
  for (const later of ours)
    for (const earlier of ours) {
      if (
        later === earlier ||
        !later.message ||
        !earlier.message ||
        !isBefore(history.promised, earlier.message, later.message)
      )
        continue
      const first = later.attempts[0]
      if (first) promise(first.from >= resolvedAt(earlier), `${nameOf(later)} waits for ${nameOf(earlier)}`)
    }
}

const isPlain = ({ message }: Delivery): boolean =>
  message !== undefined && message.publishing.delaySeconds === 0 && message.publishing.outcome === 'acknowledged'

/** Where writes fail, those of one call land in any order. */
const isBefore = ({ faults }: Promised, one: Published, other: Published): boolean =>
  one.publishing === other.publishing
    ? one.index < other.index && !faults
    : one.publishing.process === other.publishing.process && one.publishing.answeredAs < other.publishing.begunAs

/** Nothing waits for longer than a look unless something that is documented holds it up. */
function checkLateness(history: History, one: Subscribed, end: number): void {
  const ours = history.deliveries.filter(({ subscribed }) => subscribed === one)
  for (const delivery of ours)
    for (const [index, attempt] of delivery.attempts.entries()) {
      const before = delivery.attempts[index - 1]
      const isFirst = before === undefined
      if (isFirst && delivery.message?.publishing.outcome !== 'acknowledged') continue
      const dueAt = isFirst ? bornBy(delivery).to : before.isDead ? Infinity : (before.nextDueAt ?? Infinity)
      if (dueAt >= attempt.from) continue
      const delayed = isFirst && delivery.message?.publishing.delaySeconds ? LOOK : 0
      const crashes = history.crashes.filter((at) => at <= attempt.from).length
      const patience = LOOK + delayed + crashes * NET_AND_LEASE
      const held = heldUp(history, ours, delivery, index, { from: dueAt, to: attempt.from })
      promise(held <= patience, `attempt ${index + 1} at ${nameOf(delivery)} is not ${held} ms late`)
    }
  void end
}

/** The longest time within the interval in which nothing that is documented held up the delivery. */
function heldUp(
  history: History,
  ours: readonly Delivery[],
  delivery: Delivery,
  index: number,
  { from, to }: Interval,
) {
  const { window, firstTries } = history.promised
  const together = window === 1 ? 1 : Math.min(16, firstTries)
  const states = ours.map((one) => ({
    one,
    failedAt: Math.min(
      ...one.attempts.filter((attempt) => attempt.outcome !== undefined && !isMade(attempt)).map(({ to }) => to),
    ),
    resolvedAt: resolvedAt(one),
  }))
  const closings = history.closings.filter(({ laneId = delivery.subscribed.id }) => laneId === delivery.subscribed.id)
  const times = ours.flatMap((one) => one.attempts.flatMap(({ from, to }) => [from, to]))
  const events = [...times, ...closings.flatMap(({ from, to }) => [from, to]), from, to]
    .filter((time) => time >= from && time <= to)
    .toSorted((a, b) => a - b)
  const previous = delivery.attempts[index - 1]
  const wait = previous ? (previous.nextDueAt ?? 0) - previous.to : 0

  const isHeld = (time: number): boolean => {
    if (closings.some((closing) => closing.from <= time && time < closing.to)) return true
    const failing = states.filter(({ failedAt, resolvedAt }) => failedAt <= time && time < resolvedAt)
    const isFull = failing.length >= window
    if (index > 0) {
      const waitsForLast = failing.some(({ one }) =>
        one.attempts.some(({ to, nextDueAt = 0 }) => to <= time && nextDueAt > time),
      )
      return isFull && wait >= 128_000 && waitsForLast
    }
    if (isFull) return true
    const hasFailed = states.some(({ failedAt }) => failedAt <= time)
    // Where retries are under way, looks for first tries are rarer.
    const trying = ours.flatMap(({ attempts }) => attempts).filter((one) => one.from <= time && time < one.to).length
    return trying >= (hasFailed ? 1 : together)
  }

  let longest = 0
  let since = from
  for (const [at, time] of events.entries()) {
    const next = events[at + 1] ?? to
    if (isHeld(time)) since = next
    longest = Math.max(longest, next - since)
  }
  return longest
}

const nameOf = ({ subscribed, message, messageId }: Delivery): string =>
  `${message ? shown(message.text) : messageId} for ${subscribed.name}`
