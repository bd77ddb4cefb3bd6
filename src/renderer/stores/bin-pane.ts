/**
 * The deleted keys of one range: kept by name, shown newest first or in folders, searched, chosen.
 *
 * Entries are plain objects in a map; what the screen draws is a list of positions made anew when something changed, at most
 * a few times a second.
 */

import { shallowRef, triggerRef } from 'vue'
import { keyAt } from '../../preload/contract/plan-columns.ts'
import type { BinColumns, BinItem } from '../../preload/contract/bin.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import { binApi } from '../api/plan-api.ts'
import { keyText } from '../format/bytes-text.ts'
import { binRowsOf, type BinRow } from './bin-rows.ts'

/** The list is made no more often than this, and in no more than a part of the time: of 100,000 keys it takes long. */
const showEveryMs = 250
const showTimeParts = 8

/** One deleted key. */
export interface BinEntry {
  readonly key: Uint8Array
  /** The key for people; also its identity here. */
  readonly text: string
  readonly deletedRevision: number
  /** -1 when unknown. */
  readonly valueSizeBytes: number
  /** What the last value was bound to; 0 for none. */
  readonly lease: bigint
  readonly createRevision: number
  /** Writes in the life that ended; 0 when unknown. */
  readonly version: number
}

export class BinPane {
  readonly connectionId: string
  readonly range: KeyRange
  readonly status = shallowRef<'loading' | 'ready' | 'failed'>('loading')
  readonly error = shallowRef<unknown>()
  /** Rows in their order; triggered when they change. */
  readonly rows = shallowRef<readonly BinRow[]>([])
  /** Deleted keys in all, and those that the search leaves. */
  readonly count = shallowRef(0)
  readonly foundCount = shallowRef(0)
  readonly seenCount = shallowRef(0)
  readonly headRevision = shallowRef(0)
  readonly compactedRevision = shallowRef(0)
  /** Text that the rows hold; empty: all are shown. */
  readonly searched = shallowRef('')
  readonly isTree = shallowRef(false)
  readonly interruption = shallowRef<string>()
  /** Oldest deletions that are not kept, and before which revision. */
  readonly cut = shallowRef<{ readonly beforeRevision: number; readonly droppedCount: number }>()
  /** Chosen keys by their text; triggered. */
  readonly chosen = shallowRef<Set<string>>(new Set())
  private readonly entries = new Map<string, BinEntry>()
  private readonly separator: () => string
  private readonly expanded = new Set<string>()
  private subscription: Subscription | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private showTookMs = 0

  /** @param separator  of folders; asked for each time that the tree is made */
  constructor(connectionId: string, range: KeyRange, separator: () => string) {
    this.connectionId = connectionId
    this.range = range
    this.separator = separator
    this.load()
  }

  /** Replays from the beginning. */
  load(): void {
    this.subscription?.close()
    this.entries.clear()
    this.status.value = 'loading'
    this.error.value = undefined
    this.cut.value = undefined
    this.interruption.value = undefined
    const { connectionId, range } = this
    this.subscription = binApi.open(
      { connectionId, range },
      {
        onBatch: (items) => {
          for (const item of items) this.take(item)
        },
        onEnd: (error) => {
          this.error.value = error
          this.status.value = 'failed'
          this.showSoon()
        },
      },
    )
    this.showSoon()
  }

  /** Keeps the rows whose key holds this text, whatever its case. */
  find(text: string): void {
    this.searched.value = text
    this.show()
  }

  /** Folders instead of newest first. */
  setTree(isTree: boolean): void {
    this.isTree.value = isTree
    this.show()
  }

  /** Opens or closes a folder. */
  toggleFolder(path: string, isOpen = !this.expanded.has(path)): void {
    if (isOpen) this.expanded.add(path)
    else this.expanded.delete(path)
    this.show()
  }

  /** Chooses a row, or all keys in its folder; again takes them out. */
  toggle(row: BinRow): void {
    const texts = this.entriesOf(row).map(({ text }) => text)
    const isAll = texts.every((text) => this.chosen.value.has(text))
    for (const text of texts) {
      if (isAll) this.chosen.value.delete(text)
      else this.chosen.value.add(text)
    }
    triggerRef(this.chosen)
  }

  /** Chooses the rows between two positions, both included, and nothing else. */
  chooseBetween(one: number, other: number): void {
    const [first, last] = [Math.min(one, other), Math.max(one, other)]
    const rows = this.rows.value.slice(first, last + 1)
    this.chosen.value = new Set(rows.flatMap((row) => this.entriesOf(row)).map(({ text }) => text))
  }

  /** Chooses everything that the search leaves. */
  chooseAll(): void {
    this.chosen.value = new Set(this.found().map(({ text }) => text))
  }

  chooseNone(): void {
    this.chosen.value = new Set()
  }

  /** What was chosen and is still deleted. */
  chosenEntries(): readonly BinEntry[] {
    return [...this.chosen.value].flatMap((text) => this.entries.get(text) ?? [])
  }

  /** Everything that the search leaves, newest first. */
  found(): readonly BinEntry[] {
    const all = [...this.entries.values()]
    const search = this.searched.value.toLowerCase()
    const left = search === '' ? all : all.filter(({ text }) => text.toLowerCase().includes(search))
    return left.sort((one, other) => other.deletedRevision - one.deletedRevision)
  }

  /** The entry of a key that is still deleted. */
  findEntry(text: string): BinEntry | undefined {
    return this.entries.get(text)
  }

  /** The last value can still be read. */
  isReadable(entry: BinEntry): boolean {
    return entry.deletedRevision > this.compactedRevision.value
  }

  close(): void {
    this.subscription?.close()
    clearTimeout(this.timer)
  }

  private entriesOf(row: BinRow): readonly BinEntry[] {
    if (row.kind === 'key') return [row.entry]
    return this.found().filter(({ text }) => text.startsWith(row.path))
  }

  private take(item: BinItem): void {
    switch (item.kind) {
      case 'deleted':
        this.add(item.columns)
        break
      case 'returned':
        for (const key of item.keys) this.drop(keyText(key))
        break
      case 'cut':
        this.cut.value = item
        for (const [text, { deletedRevision }] of this.entries) {
          if (deletedRevision < item.beforeRevision) this.drop(text)
        }
        break
      case 'progress':
        this.seenCount.value = item.seenCount
        this.headRevision.value = item.headRevision
        if (item.isComplete && this.status.value === 'loading') this.status.value = 'ready'
        break
      case 'compacted':
        this.compactedRevision.value = item.compactedRevision
        break
      case 'interrupted':
        this.interruption.value = item.reason
        break
      case 'resumed':
        this.interruption.value = undefined
        break
    }
    this.showSoon()
  }

  private add(columns: BinColumns): void {
    for (let row = 0; row < columns.rowCount; row++) {
      const key = keyAt(columns, row)
      const text = keyText(key)
      this.entries.set(text, {
        key,
        text,
        deletedRevision: columns.deletedRevisions[row] ?? 0,
        valueSizeBytes: columns.valueSizesBytes[row] ?? -1,
        lease: columns.leases[row] ?? 0n,
        createRevision: columns.createRevisions[row] ?? 0,
        version: columns.versions[row] ?? 0,
      })
    }
  }

  private drop(text: string): void {
    this.entries.delete(text)
    if (this.chosen.value.delete(text)) triggerRef(this.chosen)
  }

  private showSoon(): void {
    // The first rows are shown at once.
    const restMs = Math.max(showEveryMs, this.showTookMs * showTimeParts)
    const delayMs = this.rows.value.length === 0 ? 0 : restMs
    this.timer ??= setTimeout(() => {
      this.show()
    }, delayMs)
  }

  private show(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    const startMs = performance.now()
    const found = this.found()
    const prefix = this.range.kind === 'prefix' ? keyText(this.range.prefix) : ''
    this.count.value = this.entries.size
    this.foundCount.value = found.length
    this.rows.value = this.isTree.value
      ? binRowsOf(found, { separator: this.separator(), prefix, expanded: this.expanded })
      : found.map((entry) => ({ kind: 'key', entry, depth: 0, label: entry.text }))
    this.showTookMs = performance.now() - startMs
  }
}
