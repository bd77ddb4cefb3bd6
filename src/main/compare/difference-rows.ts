/** Gathers rows of a comparison as the columns in which they cross to the page. */

import {
  differenceKinds,
  leftLeaseBit,
  rightLeaseBit,
  type DifferenceColumns,
  type DifferenceCounts,
  type DifferenceKind,
} from '../../preload/contract/compare.ts'

/** Rows in one item: about 150 kB of short keys, so that a few fill a batch. */
export const rowsPerItem = 2_000

/** A key as one side has it. */
export interface SideState {
  readonly modRevision: number
  /** -1 where the value was not read. */
  readonly sizeBytes: number
  readonly hasLease: boolean
}

export class DifferenceRows {
  private readonly rowsMax: number
  private readonly onColumns: (columns: DifferenceColumns) => void
  private readonly counted = { added: 0, removed: 0, changed: 0, same: 0 }
  private deliveredCount = 0
  private rows: DifferenceRow[] = []

  constructor(rowsMax: number, onColumns: (columns: DifferenceColumns) => void) {
    this.rowsMax = rowsMax
    this.onColumns = onColumns
  }

  get counts(): DifferenceCounts {
    return { ...this.counted }
  }

  /** More rows were added than are delivered. */
  get isCut(): boolean {
    const { added, removed, changed } = this.counted
    return added + removed + changed > this.rowsMax
  }

  addSame(count: number): void {
    this.counted.same += count
  }

  /** Adds one difference; keys come in rising order. At least one of the sides has the key. */
  add(key: Uint8Array, left: SideState | undefined, right: SideState | undefined): void {
    const kind = left === undefined ? 'added' : right === undefined ? 'removed' : 'changed'
    this.counted[kind]++
    if (this.deliveredCount >= this.rowsMax) return
    this.deliveredCount++
    this.rows.push({ key, kind, left, right })
    if (this.rows.length >= rowsPerItem) this.flush()
  }

  /** Hands over what was gathered. Keys that were added may be views: they are not looked at later. */
  flush(): void {
    if (this.rows.length === 0) return
    const { rows } = this
    this.rows = []
    this.onColumns(columnsOfRows(rows))
  }
}

interface DifferenceRow {
  readonly key: Uint8Array
  readonly kind: DifferenceKind
  readonly left: SideState | undefined
  readonly right: SideState | undefined
}

function columnsOfRows(rows: readonly DifferenceRow[]): DifferenceColumns {
  const keyOffsets = new Uint32Array(rows.length + 1)
  let sizeBytes = 0
  rows.forEach((row, position) => {
    sizeBytes += row.key.length
    keyOffsets[position + 1] = sizeBytes
  })
  const keyBytes = new Uint8Array(sizeBytes)
  rows.forEach((row, position) => {
    keyBytes.set(row.key, keyOffsets[position])
  })
  return {
    rowCount: rows.length,
    keyBytes,
    keyOffsets,
    kinds: Uint8Array.from(rows, (row) => differenceKinds.indexOf(row.kind)),
    leftModRevisions: Float64Array.from(rows, ({ left }) => left?.modRevision ?? 0),
    rightModRevisions: Float64Array.from(rows, ({ right }) => right?.modRevision ?? 0),
    leftSizesBytes: Int32Array.from(rows, ({ left }) => left?.sizeBytes ?? -1),
    rightSizesBytes: Int32Array.from(rows, ({ right }) => right?.sizeBytes ?? -1),
    leases: Uint8Array.from(
      rows,
      ({ left, right }) =>
        (left?.hasLease === true ? leftLeaseBit : 0) |
        (right?.hasLease === true ? rightLeaseBit : 0),
    ),
  }
}
