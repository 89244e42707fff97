/** How many of the sorted keys are smaller. */
export function rank(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}

/** Puts the key in its place, unless it is there. */
export function insertSorted(keys: string[], key: string): void {
  const at = rank(keys, key)
  if (keys[at] !== key) keys.splice(at, 0, key)
}

/** Takes the key out, if it is there. */
export function removeSorted(keys: string[], key: string): void {
  const at = rank(keys, key)
  if (keys[at] === key) keys.splice(at, 1)
}
