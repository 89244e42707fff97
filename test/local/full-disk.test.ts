import { expect, it } from 'vitest'
import { tellOfFullDisk } from '../../lib/local/full-disk.ts'

it('given calls that fail of a full disk, when a minute has passed, then that is told again, and nothing else is', () => {
  let now = 0
  const lines: string[] = []
  const onFailure = tellOfFullDisk(
    '/data',
    (line) => lines.push(line),
    () => now,
  )
  const full = new Error('backend: database or disk is full')

  onFailure(new Error('backend: something else'))
  expect(lines).toEqual([])
  for (const at of [1, 2, 60_000]) {
    now = at
    onFailure(full)
  }
  expect(lines).toEqual(['the disk of /data is full: nothing is sent, received or deleted until there is room on it'])
  now = 60_001
  onFailure(full)
  expect(lines).toHaveLength(2)
})
