/** Rows of a key list as text for the clipboard. */

import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import { keyText } from '../../format/bytes-text.ts'
import { idText } from '../../format/quantity-text.ts'

/** One key is its name alone; several are lines of tab-separated figures under a line of names. */
export function rowsText(rows: readonly KeyRow[]): string {
  const [only] = rows
  if (rows.length === 1 && only !== undefined) return keyText(only.key)
  const lines = rows.map((row) =>
    [
      keyText(row.key),
      row.version,
      row.createRevision,
      row.modRevision,
      row.lease === 0n ? '' : idText(row.lease),
    ].join('\t'),
  )
  return ['key\tversion\tcreate_revision\tmod_revision\tlease', ...lines].join('\n')
}

const texts = new WeakMap<KeyRow, string>()

/** Text of a row's key, made once: it is asked for several times whenever a row is drawn. */
export function textOf(row: KeyRow): string {
  const known = texts.get(row)
  if (known !== undefined) return known
  const text = keyText(row.key)
  texts.set(row, text)
  return text
}
