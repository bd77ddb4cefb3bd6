/** YAML: a list of records, long texts as blocks. */

import { isMap, isSeq, LineCounter, parseDocument, stringify, type Node, type YAMLMap } from 'yaml'
import { problemOf, rowsOfMap } from './json-format.ts'
import { isRecord, recordOf, rowOfRecord } from './row-record.ts'
import type {
  ParsedTransfer,
  TransferProblem,
  TransferRow,
  TransferWriter,
} from './transfer-row.ts'

/** Texts of these characters keep their lines as a block; others stand in quotes with escapes. */
const plain =
  /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]*(?:\n[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]+)*\n?$/u

/** A list with one record for each key. */
export const yamlWriter: TransferWriter = {
  head: ({ revision }) => `# revision ${String(revision)}\n`,
  row: (row) => {
    const record = recordOf(row)
    const isPlain = Object.values(record).every(
      (value) => typeof value === 'number' || (plain.test(value) && !hasBlankLine(value)),
    )
    if (isPlain) return stringify([record], { lineWidth: 0 })
    const fields = Object.entries(record).map(([name, value]) => `${name}: ${quoted(value)}`)
    return `- ${fields.join('\n  ')}\n`
  },
  tail: (rowCount) => (rowCount === 0 ? '[]\n' : ''),
}

/** Reads a list of records, an object with such a list under `keys`, or an object of names and values. */
export function parseYaml(text: string): ParsedTransfer {
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true })
  const [fault] = document.errors
  if (fault !== undefined) {
    const { line } = counter.linePos(fault.pos[0])
    const detail = fault.message.split('\n')[0] ?? ''
    return { rows: [], problems: [{ line, reason: 'notYaml', detail }] }
  }
  const root = document.contents
  const list = isMap(root) ? listIn(root) : root
  if (isSeq(list)) return rowsOfItems(list.items as readonly Node[], counter)
  if (!isMap(root)) return { rows: [], problems: [{ line: 1, reason: 'notList' }] }
  const map: unknown = root.toJS(document)
  return isRecord(map) ? rowsOfMap(map) : { rows: [], problems: [{ line: 1, reason: 'notList' }] }

  function rowsOfItems(items: readonly Node[], lines: LineCounter): ParsedTransfer {
    const rows: TransferRow[] = []
    const problems: TransferProblem[] = []
    for (const item of items) {
      try {
        rows.push(rowOfRecord(item.toJS(document)))
      } catch (error) {
        problems.push(problemOf(error, lines.linePos(item.range?.[0] ?? 0).line))
      }
    }
    return { rows, problems }
  }
}

/** A line of nothing but spaces would be taken for the indentation of its block. */
function hasBlankLine(text: string): boolean {
  return text.includes('\n') && /^ +$/mu.test(text)
}

function listIn(root: YAMLMap): unknown {
  const list = root.get('keys', true)
  return isSeq(list) ? list : undefined
}

/** A JSON string is a YAML string in double quotes; what YAML calls unprintable is escaped beside. */
function quoted(value: string | number): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
