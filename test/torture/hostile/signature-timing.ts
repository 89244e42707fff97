import { parseRequest } from '../../../lib/protocol/request.ts'
import { isSignedWith } from '../../../lib/protocol/signature.ts'
import { formEvent, signedEvent } from '../../support/signed-request.ts'

const SECRET = 'local-secret'
const ROUNDS = 4_000

/**
 * Prints how long it takes to find that a signature is wrong, by the place of the first character that differs. Where the
 * comparison stopped there, a later one would take longer, and a signature could be guessed character by character.
 */
export function printSignatureTimes(): void {
  const pairs = pairsOf({ Action: 'ListQueue' })
  const right = pairs.get('Signature') ?? ''
  const places = [0, 7, 14, 21, right.length - 2]
  const requests = places.map((place) => {
    const other = right[place] === 'A' ? 'B' : 'A'
    const wrong = right.slice(0, place) + other + right.slice(place + 1)
    return parseRequest(formEvent(new Map([...pairs, ['Signature', wrong]])))
  })
  const times = places.map((): number[] => [])
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, request] of requests.entries()) {
      const startedAt = process.hrtime.bigint()
      isSignedWith(SECRET, request, [])
      times[index]?.push(Number(process.hrtime.bigint() - startedAt))
    }
  console.log('the first wrong character, and the microseconds until the signature is refused (median, quartiles)')
  for (const [index, place] of places.entries()) {
    const sorted = (times[index] ?? []).toSorted((a, b) => a - b)
    const at = (share: number) => ((sorted[Math.floor(share * sorted.length)] ?? 0) / 1_000).toFixed(2)
    console.log(`${String(place + 1).padStart(4)}  ${at(0.5)}  ${at(0.25)} to ${at(0.75)}`)
  }
}

/** The pairs of a signed form. */
function pairsOf(parameters: Record<string, string>): Map<string, string> {
  const { body = '' } = signedEvent(parameters, { secretKey: SECRET })
  return new Map(new URLSearchParams(Buffer.from(body, 'base64').toString()))
}
