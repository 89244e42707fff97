/** What a section found: its text, and how it compares with what is required. */
export interface Findings {
  readonly text: string
  readonly requirements: readonly Requirement[]
}

export interface Requirement {
  readonly isMet: boolean
  readonly text: string
}

type Cell = string | number

/** A Markdown table that is aligned as plain text too: the first column to the left, the others to the right. */
export function table(heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map(textOf))
  const widths = heads.map((head, column) =>
    Math.max(3, ...[heads, ...texts].map((row) => (row[column] ?? head).length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => aligned(cells[column] ?? '', width, column)).join(' | ')} |`
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(heads), line(rule), ...texts.map(line)].join('\n')
}

const aligned = (text: string, width: number, column: number) =>
  column === 0 ? text.padEnd(width) : text.padStart(width)

/** Three digits say enough. */
function textOf(cell: Cell): string {
  if (typeof cell === 'string') return cell
  if (Number.isInteger(cell) || Math.abs(cell) >= 100) return Math.round(cell).toLocaleString('en-US')
  return cell.toFixed(Math.abs(cell) >= 10 ? 1 : 2)
}

export const exactly = (what: string, value: number, required: number): Requirement =>
  requirement(value === required, what, value, `exactly ${textOf(required)}`)

export const atMost = (what: string, value: number, required: number): Requirement =>
  requirement(value <= required, what, value, `at most ${textOf(required)}`)

export const below = (what: string, value: number, required: number): Requirement =>
  requirement(value < required, what, value, `below ${textOf(required)}`)

export const atLeast = (what: string, value: number, required: number): Requirement =>
  requirement(value >= required, what, value, `at least ${textOf(required)}`)

const requirement = (isMet: boolean, what: string, value: number, required: string): Requirement => ({
  isMet,
  text: `${what}: ${textOf(value)}, required ${required}`,
})

export const lineOf = ({ isMet, text }: Requirement): string => `${isMet ? 'ok    ' : 'MISSED'} ${text}`

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** The smallest value that so many of all values do not exceed; for the half, the middle one or the mean of the two. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  if (sorted.length === 0) return NaN
  const at = part * sorted.length
  const [low, high] = [Math.max(0, Math.ceil(at) - 1), part === 0.5 ? Math.floor(at) : Math.ceil(at) - 1]
  return ((sorted[low] ?? NaN) + (sorted[Math.max(0, high)] ?? NaN)) / 2
}
