/** From when to when something took, in milliseconds of the clock that the server reads, too. */
export interface Span {
  readonly from: number
  readonly until: number
}

/** The code of an answer that has nothing to give. */
export const NO_MESSAGE = 7_000

/** One request as its client saw it; without a code where no answer came. */
export interface Call extends Span {
  readonly action: string
  readonly code: number | undefined
}

/** A text that was put into a send. */
export interface Attempt {
  readonly name: string
  readonly length: number
  readonly call: Call
}

/** A message that a client was given. */
export interface Receipt {
  readonly msgId: string
  readonly name: string
  readonly length: number
  /** Whether all of its body is what its name says. */
  readonly isWhole: boolean
  readonly call: Call
  /** What its deletion came to. */
  deletion?: Call
}

/** Something that was done to what runs, from its beginning until the service could work again. */
export interface HarmDone extends Span {
  readonly name: string
}

/** All that clients of a real server have seen, and what was done to it meanwhile. */
export interface Ledger {
  readonly calls: Call[]
  readonly attempts: Attempt[]
  readonly receipts: Receipt[]
  readonly harms: HarmDone[]
  /** From when to when its disk was full, to the last byte at first. */
  readonly fullDisks: Span[]
  /** What starts came to that were tried meanwhile: why there was none, or undefined where the server listened. */
  readonly startsWhileFull: (string | undefined)[]
}

export const newLedger = (): Ledger => ({
  calls: [],
  attempts: [],
  receipts: [],
  harms: [],
  fullDisks: [],
  startsWhileFull: [],
})

/** A body of at least this length that begins with its name, and is nobody else's in any of its parts. */
export function bodyOf(name: string, length: number): string {
  const parts = [name]
  for (let size = name.length; size < length; size += parts.at(-1)?.length ?? 0) parts.push(` ${name}.${parts.length}`)
  return parts.join('')
}

/** Whose body this is, if it is anybody's. */
export function readBody(body: string): Pick<Receipt, 'name' | 'length' | 'isWhole'> {
  const name = body.split(' ', 1).join('')
  return { name, length: body.length, isWhole: body === bodyOf(name, body.length) }
}
