import { runKeys } from './key-commands.ts'

/** `npm run keys`. */
process.exitCode = await runKeys(process.argv.slice(2))
