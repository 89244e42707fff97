import type { Clock } from '../../lib/domain/time.ts'
import type { Client } from '../support/service.ts'
import { course } from './course.ts'
import { LONGEST_STANDSTILL, type Life } from './life.ts'
import type { FaultKind, Profile } from './profile.ts'
import { half, throttle, timeout } from '../support/faults.ts'
import type { Random } from '../support/random.ts'

/** How long a call is waited for, in milliseconds: what `lib/store/database.ts` gives it in the cloud. */
const PATIENCE = 1_000

/** A message that was put for longer, in milliseconds, is sent anew. The store is not asked: it may have this wrong. */
const SLOWEST_PUT = 3_000

/** How much later than that a lost call may be made, in milliseconds. */
const LATEST = 8_000

/**
 * Puts virtual time and faults between a process and DynamoDB: each call takes a while to get there and a while to come
 * back, and on the way what the profile allows may befall it.
 */
export function inflict(client: Client, clock: Clock, life: Life, profile: Profile, isArmed: () => boolean): void {
  /** It begins some time while a call is on its way, whatever else the process is doing then. */
  async function beginStandstill(random: Random): Promise<void> {
    await clock.sleep(random() * 2 * profile.latency)
    life.standStill(random() * random.pick([4_000, LONGEST_STANDSTILL]))
  }

  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const begunAt = clock.now()
        await life.goOn()
        const { random, faults } = course()
        const fault = isArmed() ? drawn(profile, random, commandName) : undefined
        // Sent is sent: a call arrives although its process dies meanwhile.
        const isDone = fault !== 'failed' || random.chance(0.5)
        if (fault === 'standstill') void beginStandstill(random)
        else if (fault)
          faults.push(`${fault === 'failed' ? (isDone ? 'failed after' : 'failed before') : fault} ${commandName}`)
        const input = args.input as PlaceInput
        const place = placeOf(commandName, input)
        if (isArmed()) await life.pass(`before ${place}`)
        const way = () => clock.sleep(random() * profile.latency)
        const isMade = fault !== 'lost before' && fault !== 'throttled' && fault !== 'lost and late'
        const make = () => (fault === 'partial' ? half(next, args as never, random) : next(args))

        if (fault === 'throttled') {
          await way()
          await life.goOn()
          throw throttle()
        }
        if (fault === 'lost and late')
          void clock.sleep(PATIENCE + random() * LATEST).then(() => next(args).catch(() => undefined))
        if (!isMade) {
          await clock.sleep(PATIENCE)
          await life.goOn()
          throw timeout()
        }
        await way()
        const answer = isDone ? make() : Promise.resolve(undefined)
        await answer.catch(() => undefined)
        if (isArmed()) await life.pass(`after ${place}`)
        await (fault === 'lost after' ? clock.sleep(PATIENCE) : way())
        if (fault === 'slow') await clock.sleep(random() * PATIENCE * 0.9)
        await life.goOn()
        if (isPut(commandName, tableOf(input)) && clock.now() - begunAt > SLOWEST_PUT)
          faults.push(`late put ${commandName}`)
        if (fault === 'lost after') throw timeout()
        // When a standstill is over, the end of a call's time and its answer are there at once, and either may be first.
        if (clock.now() - begunAt > PATIENCE && random.chance(0.5)) {
          faults.push(`lost after ${commandName}`)
          throw timeout()
        }
        if (fault === 'failed') throw failure()
        return (await answer) as Awaited<ReturnType<typeof next>>
      },
    // Outermost: while a call is on its way, nobody waits for anything but time.
    { step: 'initialize', priority: 'high', name: 'faults' },
  )
}

/** What befalls a call. Only a batch has parts, so there is nothing that befalls another call then. */
function drawn({ rates }: Profile, random: () => number, commandName: string): FaultKind | undefined {
  let left = random() * 1_000
  for (const [kind, rate] of Object.entries(rates) as [FaultKind, number][]) {
    if (kind === 'crash') continue
    left -= rate
    if (left < 0) return kind === 'partial' && !commandName.startsWith('Batch') ? undefined : kind
  }
  return undefined
}

const failure = () =>
  Object.assign(new Error('internal server error'), {
    name: 'InternalServerError',
    $metadata: { httpStatusCode: 500 },
  })

interface PlaceInput {
  readonly TableName?: string
  readonly RequestItems?: object
  readonly TransactItems?: readonly Readonly<Record<string, PlaceInput>>[]
  readonly ConditionExpression?: string
  readonly KeyConditionExpression?: string
  readonly UpdateExpression?: string
  readonly Key?: Readonly<Record<string, { readonly S?: string }>>
  readonly Item?: Readonly<Record<string, { readonly S?: string }>>
}

const tableOf = ({ TableName, RequestItems = {} }: PlaceInput): string => TableName ?? Object.keys(RequestItems).join()

/** Whether messages are put by it. */
const isPut = (commandName: string, table: string): boolean =>
  table === 'messages' && (commandName === 'PutItemCommand' || commandName === 'BatchWriteItemCommand')

/** Says which of the store's calls this is. */
function placeOf(commandName: string, input: PlaceInput): string {
  const kind = commandName.replace('Command', '')
  const parts = input.TransactItems?.flatMap((item) => Object.entries(item).map(([name, part]) => placeIn(name, part)))
  return parts ? `${kind} ${parts.join(' and ')}` : placeIn(kind, input)
}

/** Messages come from an archive by the same calls that bring them there, only the other way round. */
function placeIn(kind: string, input: PlaceInput): string {
  const table = tableOf(input)
  const isArchive = (input.Key ?? input.Item)?.['pk']?.S?.includes('#archive') ?? false
  const condition = input.ConditionExpression ?? input.KeyConditionExpression
  // A record is changed in as many ways as it has attributes.
  const update = table === 'registry' ? undefined : input.UpdateExpression
  const words = [kind, table, isArchive && 'archive', condition && `(${condition})`, update]
  return words.filter(Boolean).join(' ')
}
