import { targets } from '../../lib/push/addresses.ts'
import { poster } from '../../lib/push/post.ts'

/**
 * A program: posts to each of its arguments, of which the first does not answer, closes, and prints how that went and what
 * keeps it from ending.
 */
const { post, close } = poster({ targets: targets(['127.0.0.0/8']), timeout: 60_000 })
const outcomeOf = async (url: string) => (await post(url, { headers: {}, body: '' })).outcome
const [unanswered, ...answered] = process.argv.slice(2).map(outcomeOf)
const outcomes = await Promise.all(answered)
close()
outcomes.unshift((await unanswered) ?? '')
for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
const resources = process.getActiveResourcesInfo().filter((resource) => /Timeout|TCP|TLS|GetAddrInfo/.test(resource))
process.stdout.write(JSON.stringify({ outcomes, resources }))
