/**
 * What differs between two byte strings, as rows of a hex dump beside each other.
 *
 * Equal beginnings and equal ends are cut off first; what is left between them is the difference. Its two sides stand
 * beside each other from the same row on, so that a change of a few bytes in place reads as such, and an insertion pushes
 * the rest to other offsets without being called a change. The cost is linear, whatever the bytes are.
 */

/** Bytes in a row. */
export const differenceRowBytes = 8

/** A part of one side in a row; `end` excluded. Empty: this side has nothing there. */
export interface DifferencePart {
  readonly start: number
  readonly end: number
}

/** One row of the difference. */
export interface DifferenceRow {
  readonly kind: 'same' | 'changed'
  readonly original: DifferencePart
  readonly modified: DifferencePart
}

/** The difference of two byte strings; rows are made when they are asked for. */
export interface ByteDifference {
  readonly rowCount: number
  /** First row that differs; -1 for equal bytes. */
  readonly firstChangedRow: number
  /** Bytes of the original that are not in the modified string, and the other way round. */
  readonly removedBytes: number
  readonly addedBytes: number
  readonly rowAt: (row: number) => DifferenceRow
}

/** Compares two byte strings. */
export function differenceOf(original: Uint8Array, modified: Uint8Array): ByteDifference {
  const head = commonHead(original, modified)
  const tail = commonTail(original, modified, head)
  const removedBytes = original.length - head - tail
  const addedBytes = modified.length - head - tail
  const perRow = differenceRowBytes
  // The equal beginning ends with a row that is not full, so that the difference starts its own.
  const headRows = Math.ceil(head / perRow)
  const changedRows = Math.ceil(Math.max(removedBytes, addedBytes) / perRow)
  const tailRows = Math.ceil(tail / perRow)
  const rowAt = (row: number): DifferenceRow => {
    if (row < headRows) {
      const part = { start: row * perRow, end: Math.min(head, (row + 1) * perRow) }
      return { kind: 'same', original: part, modified: part }
    }
    const inChange = row - headRows
    if (inChange < changedRows) {
      const part = (length: number): DifferencePart => ({
        start: head + Math.min(length, inChange * perRow),
        end: head + Math.min(length, (inChange + 1) * perRow),
      })
      return { kind: 'changed', original: part(removedBytes), modified: part(addedBytes) }
    }
    const at = (inChange - changedRows) * perRow
    const part = (length: number): DifferencePart => ({
      start: length - tail + at,
      end: Math.min(length, length - tail + at + perRow),
    })
    return { kind: 'same', original: part(original.length), modified: part(modified.length) }
  }
  return {
    rowCount: headRows + changedRows + tailRows,
    firstChangedRow: changedRows === 0 ? -1 : headRows,
    removedBytes,
    addedBytes,
    rowAt,
  }
}

function commonHead(left: Uint8Array, right: Uint8Array): number {
  const end = Math.min(left.length, right.length)
  let at = 0
  while (at < end && left[at] === right[at]) at++
  return at
}

/** Length of the equal end that does not reach into the equal beginning. */
function commonTail(left: Uint8Array, right: Uint8Array, head: number): number {
  const countMax = Math.min(left.length, right.length) - head
  let count = 0
  while (count < countMax && left[left.length - 1 - count] === right[right.length - 1 - count]) {
    count++
  }
  return count
}
