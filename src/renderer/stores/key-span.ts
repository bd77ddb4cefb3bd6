/** Rows of a list from one key on, forward or backward, page by page: for a choice that goes over rows that are not loaded. */

import { keyRowAt, type KeyRow } from '../../preload/contract/key-columns.ts'
import type { KeyRange, RangeReply } from '../../preload/contract/kv.ts'
import { kvApi } from '../api/kv-api.ts'
import { boundsOf, rangeBetween, successor } from './key-order.ts'

const pageRows = 5_000

/** What is read. */
export interface KeySpan {
  readonly connectionId: string
  /** The list that the rows are of. */
  readonly range: KeyRange
  /** As of this revision; 0: the newest at the first page. */
  readonly revision: number
  /** The first key, which is among the rows. */
  readonly start: Uint8Array
  /** The last key, where it is known; without it `count` rows are read. */
  readonly end: Uint8Array | undefined
  readonly count: number
  /** Towards larger keys. */
  readonly isForward: boolean
}

/** Reads the rows of a span, from its start on. Throws `CallError`. */
export async function readSpan(span: KeySpan): Promise<readonly KeyRow[]> {
  const { connectionId, isForward, start, end } = span
  const bounds = boundsOf(span.range)
  let from = isForward ? start : (end ?? bounds.from)
  let to = isForward ? (end === undefined ? bounds.to : successor(end)) : successor(start)
  let { revision } = span
  const rows: KeyRow[] = []
  while (rows.length < span.count) {
    const page: RangeReply = await kvApi.range({
      ...{ connectionId, range: rangeBetween(from, to), revision, valueBytesMax: 0 },
      limit: Math.min(pageRows, span.count - rows.length),
      ...(isForward ? {} : { sort: { by: 'key', isDescending: true } }),
    })
    // All pages show one state.
    revision = page.revision
    const read = Array.from({ length: page.columns.rowCount }, (_, at) =>
      keyRowAt(page.columns, at),
    )
    rows.push(...read)
    const last = read.at(-1)
    if (last === undefined || !page.hasMore) break
    if (isForward) from = successor(last.key)
    else to = last.key
  }
  return rows
}
