/** What a prefix that is being typed may go on with. */

import { keyRowAt } from '../../preload/contract/key-columns.ts'
import { kvApi } from '../api/kv-api.ts'
import { passOverCall } from './failure-text.ts'
import { findText, keyText, parseKeyText, textBytes } from '../format/bytes-text.ts'
import type { CompareSideChoice } from './compare-side.ts'
import { findPrefixEnd, rangeBetween, rangeUnder, successor } from './key-order.ts'

const suggestionsMax = 12
const callsMax = 20
const rowsPerCall = 32

/** Folders behind a typed prefix, in the order of their keys; none when the cluster does not answer. */
export async function prefixesBelow(
  choice: CompareSideChoice,
  separator: string,
): Promise<readonly string[]> {
  const typed = parseKeyText(choice.subject)
  const found: string[] = []
  const end = findPrefixEnd(typed)
  let range = rangeUnder(typed)
  try {
    for (let call = 0; call < callsMax && found.length < suggestionsMax; call++) {
      const page = await kvApi.range({
        connectionId: choice.connectionId,
        range,
        limit: rowsPerCall,
        revision: choice.revision,
        valueBytesMax: 0,
      })
      const keys = Array.from(
        { length: page.columns.rowCount },
        (_, row) => keyRowAt(page.columns, row).key,
      )
      const [folder] = keys.flatMap((key) => folderOf(key, typed.length, separator) ?? [])
      if (folder !== undefined) found.push(keyText(folder))
      const last = keys.at(-1)
      const behind =
        folder === undefined
          ? last === undefined
            ? undefined
            : successor(last)
          : findPrefixEnd(folder)
      if (behind === undefined) break
      range = rangeBetween(behind, end)
    }
  } catch (failure) {
    // Completion is an extra: a side that cannot be read says so when it is compared.
    passOverCall(failure)
  }
  return found
}

/** The first folder of a key that ends behind what was typed. */
function folderOf(key: Uint8Array, typedLength: number, separator: string): Uint8Array | undefined {
  const text = findText(key)
  if (text === undefined || separator === '') return undefined
  const typedText = findText(key.subarray(0, typedLength)) ?? ''
  const at = text.indexOf(separator, Math.max(typedText.length, 1))
  return at < 0 ? undefined : textBytes(text.slice(0, at + separator.length))
}
