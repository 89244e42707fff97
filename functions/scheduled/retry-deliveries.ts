import { runHandler } from '../run-handler.ts'

/**
 * The net under all pushes: starts one for each subscription that has deliveries and nobody who works on them, nor will
 * by himself. What a lost call or wake-up leaves behind is so pushed at the next beat of its schedule.
 */
export const handler = runHandler('retry-deliveries', async (_event, { workList, deliveries, start }) => {
  let started = 0
  for (const work of await workList.left('push')) {
    if (await deliveries.isEmpty(work.laneId)) continue
    await start(work)
    started++
  }
  return { started }
})
