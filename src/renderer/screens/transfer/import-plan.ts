/** Rows of a file as the keys that they will be: under another prefix, each name once. */

import type { ParsedTransfer, TransferProblem, TransferRow } from '../../transfer/transfer-row.ts'

/** How names change on their way in. */
export interface ImportMapping {
  /** Taken away where a key begins with it. */
  readonly strip: Uint8Array
  /** Put in front of what is left. */
  readonly prefix: Uint8Array
}

/** Rows as they will be written. */
export interface ImportRows {
  readonly rows: readonly TransferRow[]
  /** Names that stood more than once; the last one counts. */
  readonly repeatedCount: number
  /** Names of which nothing is left; they are left out. */
  readonly namelessCount: number
}

/** Rows under their new names. */
export function mappedRows(parsed: ParsedTransfer, mapping: ImportMapping): ImportRows {
  const byName = new Map<string, TransferRow>()
  let repeatedCount = 0
  let namelessCount = 0
  for (const row of parsed.rows) {
    const key = mappedKey(row.key, mapping)
    if (key.length === 0) {
      namelessCount++
      continue
    }
    const name = latin1(key)
    if (byName.has(name)) repeatedCount++
    byName.set(name, { ...row, key })
  }
  return { rows: [...byName.values()], repeatedCount, namelessCount }
}

/** Words of a problem beside its reason. */
export function detailOf(problem: TransferProblem): string {
  return problem.detail === undefined ? '' : ` · ${problem.detail}`
}

function mappedKey(key: Uint8Array, { strip, prefix }: ImportMapping): Uint8Array {
  const isUnder = strip.length > 0 && strip.every((byte, index) => key[index] === byte)
  const rest = isUnder ? key.subarray(strip.length) : key
  const mapped = new Uint8Array(prefix.length + rest.length)
  mapped.set(prefix)
  mapped.set(rest, prefix.length)
  return mapped
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
