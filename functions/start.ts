import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

/** What `npm start` runs: `local.ts`, sooner there, and no longer there than npm. */

/** How often it is asked whether npm is still there, in milliseconds. */
const LOOK_EVERY = 100

/** npm passes signals on; one that is killed cannot, and would leave a server behind that keeps port and directory. */
function endWithParent() {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, LOOK_EVERY).unref()
}

if (process.env['npm_lifecycle_event'] === 'start') endWithParent()
// More than half of a start is compiling the same files again. Where nothing can be kept it takes that long, no more.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)))
await import('./local.ts')
