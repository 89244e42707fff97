import { Command, CommanderError } from 'commander'
import { randomInt } from 'node:crypto'
import { lasting, type KeyStatus } from '../domain/key.ts'
import { after } from '../domain/time.ts'
import { firstLine, LocalError } from '../local/local-error.ts'
import { ONLY_ACCOUNT } from '../names.ts'
import { Uncertain } from '../store/database.ts'
import type { KeyStore, StoredKey } from '../store/keys.ts'
import { account, allowed, duration } from './key-arguments.ts'
import { clock, missingDirectory, withKeys, type KeyPlace } from './key-place.ts'
import { keysText, keyText, shown, type ShownKey } from './key-text.ts'

/** What `npm run keys` can do: make, list and change the key pairs of a deployment, or of a local data directory. */

type Options = KeyPlace & {
  readonly json?: true
  readonly account?: string
  readonly actions?: string
  readonly resources?: string
  readonly allow?: string
  readonly overlap: string
  readonly end?: true
}

const program = new Command('npm run keys --')
  .description('Key pairs: whose they are, and what they may do.')
  .exitOverride()
  .addHelpText(
    'after',
    `
Without a place, the keys are those of the local data directory .cmq, whether its server runs or not. In the cloud,
credentials and region are those of the AWS SDKs: AWS_PROFILE, AWS_REGION and so on.
A change counts within a minute. Secrets are shown once: when they are made.`,
  )

/** A command with the options that all have. */
const command = (name: string, description: string) =>
  program
    .command(name)
    .description(description)
    .option('--stack <name>', 'a deployed stack, by its name')
    .option('--registry-table <name>', 'the table of a deployment, with --secret-arn')
    .option('--secret-arn <arn>', 'the secret of a deployment')
    .option('--data <dir>', 'a local data directory (default: .cmq)')
    .option('--dynamodb <url>', 'what npm start -- --dynamodb uses, with its CMQ_SECRET_KEY')
    .option('--json', 'answer in JSON')

command('create', 'makes a key pair, and shows its secret')
  .option('--account <appId>', 'whose it is', ONLY_ACCOUNT)
  .option('--actions <list>', 'what it may do: SendMessage,Batch*')
  .option('--resources <list>', 'what it may do that to: queue/orders-*,topic/*')
  .option('--allow <json>', 'both at length, {"allow":[{"actions":[…],"resources":[…]}]}, or @FILE that holds it')
  .action((options: Options) => {
    const owner = account(options.account ?? ONLY_ACCOUNT)
    const allow = allowed(options)
    const made = missingDirectory(options)
    return withKeys(options, seeded, async (keys) => {
      const pair = { secretId: `AKID${random(32)}`, secretKey: random(32) }
      if (!(await keys.create(pair, owner, allow))) throw new LocalError('the new SecretId is taken: try again')
      await told(keys, pair.secretId, 'CreateKey', options, pair.secretKey)
      if (made !== undefined) process.stderr.write(`made the data directory ${made}, which no server uses yet\n`)
    })
  })

command('list', 'lists all keys, or those of an account')
  .option('--account <appId>', 'of this account alone')
  .action((options: Options) => {
    const owner = options.account === undefined ? undefined : account(options.account)
    return withExistingKeys(options, async (keys) => {
      const found = (await keys.list()).filter((key) => owner === undefined || key.account === owner)
      show(
        found.map((key) => shown(key, clock.now())),
        keysText,
        options,
      )
    })
  })

const statusCommand = (name: string, description: string, status: KeyStatus, action: string) =>
  command(`${name} <secretId>`, description).action((secretId: string, options: Options) =>
    changed(secretId, action, options, (keys, key) => keys.setStatus(key, status)),
  )
statusCommand('disable', 'refuses a key for now', 'disabled', 'DisableKey')
statusCommand('enable', 'accepts a disabled key again', 'enabled', 'EnableKey')

command('rotate <secretId>', 'gives a key another secret, and shows it')
  .option('--overlap <time>', 'how long the former secret is good beside it: 0, 90m, 12h, 7d', '12h')
  .option('--end', 'makes no other secret, but ends the former one now')
  .action((secretId: string, options: Options) => {
    if (options.end) return changed(secretId, 'EndRotation', options, (keys, key) => keys.endRotation(key))
    const overlap = duration(options.overlap)
    const secretKey = random(32)
    const rotate = (keys: KeyStore, key: StoredKey) => {
      if (lasting(key.secrets, clock.now()).length > 1)
        throw new LocalError(`${secretId} is being rotated: end that first, with --end`)
      return keys.rotate(key, secretKey, overlap === 0 ? undefined : after(clock.now(), overlap))
    }
    return changed(secretId, 'RotateKey', options, rotate, secretKey)
  })

command('delete <secretId>', 'deletes a key for ever').action((secretId: string, options: Options) =>
  withExistingKeys(options, async (keys) => {
    const key = await existing(keys, secretId)
    if (!(await keys.remove(key))) throw overtaken(secretId)
    audit('DeleteKey', key)
    show(shown(key, clock.now()), () => `deleted ${secretId}`, options)
  }),
)

function changed(
  secretId: string,
  action: string,
  options: Options,
  change: (keys: KeyStore, key: StoredKey) => Promise<boolean>,
  secretKey?: string,
): Promise<void> {
  return withExistingKeys(options, async (keys) => {
    const key = await existing(keys, secretId)
    const isMade = await change(keys, key).catch((error: unknown) => {
      throw error instanceof Uncertain ? perhapsChanged(secretId, secretKey) : error
    })
    if (!isMade) throw overtaken(secretId)
    await told(keys, secretId, action, options, secretKey)
  })
}

/** Where there is no data directory there are no keys: its name is likely to be mistyped, and making it would not tell. */
function withExistingKeys(options: Options, work: (keys: KeyStore) => Promise<void>): Promise<void> {
  const missing = missingDirectory(options)
  if (missing !== undefined) throw new LocalError(`there is no data directory ${missing}: npm start makes it`)
  return withKeys(options, seeded, work)
}

async function existing(keys: KeyStore, secretId: string): Promise<StoredKey> {
  const key = await keys.read(secretId)
  if (!key) throw new LocalError(`there is no key ${secretId}`)
  return key
}

const overtaken = (secretId: string) => new LocalError(`${secretId} was changed at the same time: try again`)

/** A secret that is perhaps in use is shown: nobody else knows it, and without it the end of a rotation would lock all out. */
const perhapsChanged = (secretId: string, secretKey?: string) =>
  new LocalError(
    `nobody knows whether ${secretId} was changed: see what list says of it` +
      (secretKey === undefined ? '' : `; if it was, its new secret is ${secretKey}`),
  )

/** Says what became of a key, to whoever asked and to the log. */
async function told(keys: KeyStore, secretId: string, action: string, options: Options, secretKey?: string) {
  const key = await existing(keys, secretId)
  audit(action, key)
  show(shown(key, clock.now(), secretKey), keyText, options)
}

/** One line in the form of the service's log, on stderr: who changed what, and when. */
function audit(action: string, { secretId, account }: Pick<StoredKey, 'secretId' | 'account'>): void {
  const { USER, LOGNAME } = process.env
  const by = USER ?? LOGNAME ?? `user ${process.getuid?.()}`
  const timestamp = new Date(clock.now()).toISOString()
  const line = { level: 'INFO', message: 'audit', timestamp, service: 'cmq', by, account, action }
  process.stderr.write(`${JSON.stringify({ ...line, resource: `key/${secretId}` })}\n`)
}

const seeded = (key: Pick<StoredKey, 'secretId' | 'account'>) => audit('SeedKey', key)

function show<Shown extends ShownKey | readonly ShownKey[]>(
  what: Shown,
  text: (what: Shown) => string,
  { json }: Options,
): void {
  process.stdout.write(`${json ? JSON.stringify(what) : text(what)}\n`)
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

const random = (length: number): string => Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join('')

/** Does what the arguments say, and tells it on stdout and stderr. Returns the exit code. */
export async function runKeys(args: readonly string[]): Promise<number> {
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    // What the user can mend is one line, and so is what AWS refuses.
    process.stderr.write(`${withHint(firstLine(error))}\n`)
    return 1
  }
}

/** The AWS SDKs say what they miss, but not where they look for it. */
const withHint = (line: string): string =>
  /^(Region is missing|Could not load credentials)/.test(line) ? `${line}: set AWS_REGION and AWS_PROFILE` : line
