/** Sizes of values that a comparison by revisions did not read: asked for where the list rests, a few at a time. */

import type { ComparedSide } from '../../preload/contract/compare.ts'
import { kvApi } from '../api/kv-api.ts'
import { passOverCall } from './failure-text.ts'
import { rightKeyIn, type CompareSideChoice, type SideName } from './compare-side.ts'
import type { DifferenceRow } from './difference-table.ts'

const restMs = 60
const callsAtOnceMax = 6

type Sides<Value> = Readonly<Record<SideName, Value>>

export class DifferenceSizes {
  private readonly sides: Sides<CompareSideChoice>
  private readonly onSizes: (row: number, sizes: Sides<number>) => void
  private timer: ReturnType<typeof setTimeout> | undefined
  private waiting: readonly DifferenceRow[] = []
  private pinned: Sides<ComparedSide> | undefined
  private readonly asked = new Set<number>()
  private activeCount = 0
  private isDisposed = false

  constructor(
    sides: Sides<CompareSideChoice>,
    onSizes: (row: number, sizes: Sides<number>) => void,
  ) {
    this.sides = sides
    this.onSizes = onSizes
  }

  /** Asks for the sizes of the rows in sight; replaces what was asked before and is not under way. */
  want(rows: readonly DifferenceRow[], pinned: Sides<ComparedSide> | undefined): void {
    if (pinned === undefined) return
    this.pinned = pinned
    this.waiting = rows.filter((row) => isUnknown(row) && !this.asked.has(row.row))
    clearTimeout(this.timer)
    if (this.waiting.length === 0) return
    this.timer = setTimeout(() => {
      this.work()
    }, restMs)
  }

  dispose(): void {
    this.isDisposed = true
    this.waiting = []
    clearTimeout(this.timer)
  }

  private work(): void {
    while (this.activeCount < callsAtOnceMax) {
      const [next, ...rest] = this.waiting
      if (next === undefined) return
      this.waiting = rest
      this.asked.add(next.row)
      this.activeCount++
      void this.ask(next).finally(() => {
        this.activeCount--
        this.work()
      })
    }
  }

  private async ask(row: DifferenceRow): Promise<void> {
    try {
      const [left, right] = await Promise.all([
        row.leftModRevision === 0 ? -1 : this.sizeOf('left', row.key),
        row.rightModRevision === 0 ? -1 : this.sizeOf('right', rightKeyIn(this.sides, row.key)),
      ])
      if (!this.isDisposed) this.onSizes(row.row, { left, right })
    } catch (failure) {
      // A size is an extra: without it the row still says what happened, and opening it tells the reason.
      passOverCall(failure)
    }
  }

  private async sizeOf(side: SideName, key: Uint8Array): Promise<number> {
    const page = await kvApi.range({
      connectionId: this.sides[side].connectionId,
      range: { kind: 'key', key: key.slice() },
      limit: 1,
      revision: this.pinned?.[side].revision ?? 0,
      valueBytesMax: 1,
    })
    return page.columns.valueSizesBytes[0] ?? -1
  }
}

/** Sizes are read on both sides or on neither, so that one missing side tells. */
function isUnknown(row: DifferenceRow): boolean {
  return (
    (row.leftModRevision > 0 && row.leftSizeBytes < 0) ||
    (row.rightModRevision > 0 && row.rightSizeBytes < 0)
  )
}
