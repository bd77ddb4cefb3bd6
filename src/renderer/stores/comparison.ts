/**
 * One comparison as a screen shows it: its two sides as the user set them, and the rows of its last run as they come in.
 *
 * Rows arrive faster than they can be looked at, so that the list is laid out at most every tenth of a second, and a filter
 * goes over them in slices.
 */

import { shallowRef } from 'vue'
import {
  type CompareBasis,
  type ComparedSide,
  type CompareItem,
  type CompareMethod,
  type CompareRequest,
  type DifferenceCounts,
} from '../../preload/contract/compare.ts'
import { compareRowsMax } from '../../preload/contract/limits.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import { streamApi } from '../api/stream-api.ts'
import { textBytes } from '../format/bytes-text.ts'
import type { BothValues } from './compare-values.ts'
import { isMapped, type CompareSideChoice, type SideName } from './compare-side.ts'
import { DifferenceSizes } from './difference-sizes.ts'
import { DifferenceTable, type DifferenceRow } from './difference-table.ts'
import { DifferenceTree, type DifferenceLine } from './difference-tree.ts'
import { DifferenceView, type DifferenceFilter } from './difference-view.ts'
import { rangeOfSubject } from './key-subject.ts'
import { RowChoice } from './row-choice.ts'

export interface CompareOptions {
  readonly by: CompareRequest['by']
  readonly ignoresValues: boolean
  readonly ignoresLeases: boolean
}

/** What a run has told so far. */
export interface CompareRun {
  /** The sides as they were when it began. */
  readonly sides: Readonly<Record<SideName, CompareSideChoice>>
  readonly options: CompareOptions
  /** Absent until both sides are pinned. */
  readonly pinned?: Readonly<Record<SideName, ComparedSide>>
  readonly method?: CompareMethod
  readonly basis?: CompareBasis
  readonly counts: DifferenceCounts
  readonly doneCount: number
  readonly totalCount: number
  /** More rows differ than are listed. */
  readonly isCut: boolean
  /** Present when it came to its end. */
  readonly durationMs?: number
}

const layOutEveryMs = 100
/** A slice of the work on rows; three of them are still less than a long task. */
const sliceMs = 12
/** A comparison with fewer rows opens all its folders. */
const openRowsMax = 200
const noCounts: DifferenceCounts = { added: 0, removed: 0, changed: 0, same: 0 }
const everyRow: DifferenceFilter = { kind: 'all', contains: new Uint8Array(0) }

export class Comparison {
  readonly sides = shallowRef<Readonly<Record<SideName, CompareSideChoice>>>()
  readonly options = shallowRef<CompareOptions>({
    by: 'revision',
    ignoresValues: false,
    ignoresLeases: false,
  })
  readonly status = shallowRef<'idle' | 'running' | 'ready' | 'canceled' | 'failed'>('idle')
  readonly error = shallowRef<unknown>()
  readonly run = shallowRef<CompareRun>()
  readonly filter = shallowRef<DifferenceFilter>(everyRow)
  readonly isFlat = shallowRef(false)
  /** Lines of the list; triggered when they were laid out anew. */
  readonly lineCount = shallowRef(0)
  /** Rows that pass the filter, as far as they were looked at. */
  readonly shownCount = shallowRef(0)
  /** The row whose values are shown. */
  readonly openRow = shallowRef<number>()
  /** The values of a row as they were read last, for a screen that comes back to it. */
  readonly readValues = shallowRef<{ readonly row: number; readonly both: BothValues }>()
  /** Rows that were chosen. */
  readonly chosenCount = shallowRef(0)
  /** Goes up when lines, sizes or folders changed. */
  readonly version = shallowRef(0)
  private chosen = new RowChoice()
  private table = new DifferenceTable()
  private view = new DifferenceView(this.table, everyRow)
  private openPaths = new Set<string>()
  /** A run that found little opens its folders, once. */
  private opensAll = false
  private tree: DifferenceTree
  private sizes: DifferenceSizes | undefined
  private separator: Uint8Array
  private subscription: Subscription | undefined
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(separator: string) {
    this.separator = textBytes(separator)
    this.tree = this.makeTree()
  }

  /** Shows the values of a row beside each other; undefined: of none. */
  show(row: number | undefined): void {
    this.openRow.value = row
  }

  /** Changes what counts as a difference, from the next start on. */
  setOptions(change: Partial<CompareOptions>): void {
    this.options.value = { ...this.options.value, ...change }
  }

  /** Compares the sides as they are set now. */
  start(): void {
    const sides = this.sides.value
    if (sides === undefined) return
    this.stop()
    this.table = new DifferenceTable()
    this.clearChosen()
    this.openRow.value = undefined
    this.readValues.value = undefined
    this.opensAll = true
    this.error.value = undefined
    this.status.value = 'running'
    const options = this.options.value
    const run = { sides, options, counts: noCounts, doneCount: 0, totalCount: 0, isCut: false }
    this.run.value = run
    this.sizes = new DifferenceSizes(sides, (row, found) => {
      this.table.setSizes(row, found)
      this.version.value++
    })
    this.resetView()
    const request: CompareRequest = {
      ...options,
      left: sideRequestOf(sides.left),
      right: sideRequestOf(sides.right),
      rowsMax: compareRowsMax,
    }
    this.subscription = streamApi.compare(request, {
      onBatch: (items) => {
        for (const item of items) this.take(item)
        this.layOutSoon()
      },
      onEnd: (error) => {
        this.subscription = undefined
        this.error.value = error
        this.status.value = error === undefined ? 'ready' : 'failed'
        this.layOutSoon()
      },
    })
  }

  /** Ends a run; what it found stays. */
  cancel(): void {
    if (this.status.value !== 'running') return
    this.subscription?.close()
    this.subscription = undefined
    this.status.value = 'canceled'
  }

  /** Left becomes right. A comparison that has run, or was running, runs again. */
  swap(): void {
    const sides = this.sides.value
    if (sides === undefined) return
    this.sides.value = { left: sides.right, right: sides.left }
    if (this.status.value !== 'idle') this.start()
  }

  setSide(side: SideName, change: Partial<CompareSideChoice>): void {
    const sides = this.sides.value
    if (sides === undefined) return
    this.sides.value = { ...sides, [side]: { ...sides[side], ...change } }
  }

  setFilter(change: Partial<DifferenceFilter>): void {
    this.filter.value = { ...this.filter.value, ...change }
    this.resetView()
  }

  setFlat(isFlat: boolean): void {
    this.isFlat.value = isFlat
    this.tree = this.makeTree()
    this.layOut()
  }

  /** What splits keys into folders has changed. */
  setSeparator(separator: string): void {
    const bytes = textBytes(separator)
    if (bytes.join() === this.separator.join()) return
    this.separator = bytes
    this.openPaths = new Set()
    this.setFlat(this.isFlat.value)
  }

  findLine(index: number): DifferenceLine | undefined {
    return this.tree.findLine(index)
  }

  findRow(row: number): DifferenceRow | undefined {
    return this.table.findRow(row)
  }

  parentOf(index: number): number {
    return this.tree.parentOf(index)
  }

  toggle(path: Uint8Array): void {
    this.tree.toggle(path)
    this.tellLines()
  }

  openAll(): void {
    this.tree.openAll()
    this.tellLines()
  }

  /** Opens the next difference, or the previous one, of those shown. Answers its line; -1: there is none. */
  step(by: 1 | -1): number {
    // What came in a moment ago may not be laid out yet.
    if (this.timer !== undefined) this.layOut()
    if (this.view.length === 0) return -1
    const open = this.openRow.value
    let position = by > 0 ? 0 : this.view.length - 1
    if (open !== undefined) {
      const at = this.view.positionOf(open)
      const isThere = this.view.rowAt(at) === open
      position = by > 0 && !isThere ? at : at + by
    }
    if (position < 0 || position >= this.view.length) return -1
    this.openRow.value = this.view.rowAt(position)
    const line = this.tree.reveal(position)
    this.tellLines()
    return line
  }

  /** Asks for the sizes of the rows of some lines where they are not known. */
  wantSizes(first: number, last: number): void {
    const rows: DifferenceRow[] = []
    for (let index = first; index <= last; index++) {
      const line = this.findLine(index)
      const row = line?.kind === 'key' ? this.findRow(line.row) : undefined
      if (row !== undefined) rows.push(row)
    }
    this.sizes?.want(rows, this.run.value?.pinned)
  }

  /** Rows of a line: the key's own, or all that a folder shows. */
  rowsOf(line: DifferenceLine): readonly number[] {
    if (line.kind === 'key') return [line.row]
    return this.rowsBetween(line.start, line.end)
  }

  /** All rows that pass the filter. */
  shownRows(): readonly number[] {
    return this.rowsBetween(0, this.view.length)
  }

  choose(rows: readonly number[], isChosen: boolean): void {
    for (const row of rows) this.chosen.set(row, isChosen)
    this.chosenCount.value = this.chosen.count
    this.version.value++
  }

  clearChosen(): void {
    this.chosen = new RowChoice()
    this.chosenCount.value = 0
    this.version.value++
  }

  /** Rows that were chosen, in the order of their keys. */
  chosenRows(): readonly number[] {
    return this.chosen.rows()
  }

  /** How much of a line is chosen. */
  choiceOf(line: DifferenceLine): 'all' | 'some' | 'none' {
    if (this.chosen.count === 0) return 'none'
    if (line.kind === 'key') return this.chosen.has(line.row) ? 'all' : 'none'
    const count = this.chosen.countBetween(this.view, line.start, line.end)
    return count === 0 ? 'none' : count === line.end - line.start ? 'all' : 'some'
  }

  /** Whether the two sides name their keys differently. */
  hasOtherNames(): boolean {
    const sides = this.run.value?.sides
    return sides !== undefined && isMapped(sides)
  }

  dispose(): void {
    this.stop()
  }

  private stop(): void {
    this.subscription?.close()
    this.subscription = undefined
    this.sizes?.dispose()
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private take(item: CompareItem): void {
    const run = this.run.value
    if (run === undefined) return
    switch (item.kind) {
      case 'started': {
        const { left, right, method, basis } = item
        this.run.value = { ...run, pinned: { left, right }, method, basis }
        break
      }
      case 'rows':
        this.table.append(item.columns)
        break
      case 'progress':
        this.run.value = { ...run, ...countsOfItem(item), totalCount: item.totalCount }
        break
      case 'finished':
        this.run.value = {
          ...run,
          ...countsOfItem(item),
          isCut: item.isCut,
          durationMs: item.durationMs,
        }
        break
    }
  }

  private rowsBetween(start: number, end: number): readonly number[] {
    return Array.from({ length: end - start }, (_, at) => this.view.rowAt(start + at))
  }

  private resetView(): void {
    this.view = new DifferenceView(this.table, this.filter.value)
    this.tree = this.makeTree()
    this.layOut()
  }

  private makeTree(): DifferenceTree {
    const separator = this.isFlat.value ? new Uint8Array(0) : this.separator
    return new DifferenceTree(this.view, separator, this.openPaths)
  }

  private layOutSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.layOut()
    }, layOutEveryMs)
  }

  /** Looks at what came in and shows it; goes on later when it was more than one slice. */
  private layOut(): void {
    const isDone = this.view.extend(sliceMs)
    this.tree.layOut()
    if (isDone && this.opensAll && this.status.value !== 'running') {
      this.opensAll = false
      if (this.view.length <= openRowsMax) this.tree.openAll()
    }
    this.tellLines()
    if (isDone) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.layOut()
    })
  }

  private tellLines(): void {
    this.lineCount.value = this.tree.lineCount
    this.shownCount.value = this.view.length
    this.version.value++
  }
}

function sideRequestOf({ connectionId, subject, revision }: CompareSideChoice): {
  connectionId: string
  range: CompareRequest['left']['range']
  revision: number
} {
  return { connectionId, range: rangeOfSubject(subject), revision }
}

/** How many keys differ, whatever way; 0 before anything was counted. */
export function differingCount(counts: DifferenceCounts | undefined): number {
  const { added, changed, removed } = counts ?? noCounts
  return added + changed + removed
}

function countsOfItem(
  item: Extract<CompareItem, { kind: 'progress' | 'finished' }>,
): Pick<CompareRun, 'counts' | 'doneCount'> {
  return { counts: item.counts, doneCount: item.doneCount }
}
