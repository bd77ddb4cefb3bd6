/** Rows as text for a terminal and for Markdown. */

const number = (value) => {
  if (value === undefined) return '–'
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
const pair = (row, measure) =>
  row.ours?.[measure] === undefined
    ? '–'
    : `${number(row.ours[measure])} / ${number(row.etcd[measure])}`

const columns = [
  { title: 'work', cell: (row) => row.label, width: 46 },
  { title: 'unit', cell: (row) => row.unit, width: 5 },
  { title: 'ours', cell: (row) => number(row.ours?.value), width: 9, isRight: true },
  { title: 'etcd', cell: (row) => number(row.etcd?.value), width: 9, isRight: true },
  { title: 'ratio', cell: (row) => number(row.ratio), width: 7, isRight: true },
  {
    title: 'target',
    cell: (row) => `${row.isLowerBetter ? '≤' : '≥'} ${row.target}`,
    width: 7,
    isRight: true,
  },
  { title: 'met', cell: (row) => (row.isMet ? 'yes' : 'no'), width: 3 },
  { title: 'p50 ms', cell: (row) => pair(row, 'p50Ms'), width: 15, isRight: true },
  { title: 'p99 ms', cell: (row) => pair(row, 'p99Ms'), width: 15, isRight: true },
  { title: 'RSS MB', cell: (row) => pair(row, 'residentMb'), width: 13, isRight: true },
  { title: 'peak MB', cell: (row) => pair(row, 'peakMb'), width: 13, isRight: true },
]

const aligned = (text, { width, isRight }) => (isRight ? text.padStart(width) : text.padEnd(width))

export const headLine = () => columns.map((column) => aligned(column.title, column)).join(' ')

/** One row; what there is to say about it follows on a line of its own. */
export function rowLine(row) {
  const line = columns.map((column) => aligned(column.cell(row), column)).join(' ')
  return row.note ? `${line}\n    ${row.note}` : line
}

/** A table in Markdown, with the notes below. */
export function markdownTable(rows) {
  const notes = [...new Set(rows.flatMap((row) => (row.note ? [`${row.label}: ${row.note}`] : [])))]
  const lines = [
    `| ${columns.map(({ title }) => title).join(' | ')} |`,
    `| ${columns.map(({ isRight }) => (isRight ? '---:' : '---')).join(' | ')} |`,
    ...rows.map((row) => `| ${columns.map(({ cell }) => cell(row)).join(' | ')} |`),
  ]
  return [...lines, ...(notes.length > 0 ? ['', ...notes.map((note) => `- ${note}`)] : [])]
}
