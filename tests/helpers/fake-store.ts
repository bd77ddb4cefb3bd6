/** A small store with revisions, generations and watches, in memory, for the page when it runs without a main process. */

import { keyColumnsOf } from '../../src/preload/contract/key-columns.ts'
import type { HistoryRow } from '../../src/preload/contract/history-columns.ts'
import type { KeyRange, KeyValue, RangeReply, RangeRequest } from '../../src/preload/contract/kv.ts'
import type { WatchChange, WatchedValue } from '../../src/preload/contract/watch.ts'

/** One revision of one key. */
type Version = KeyValue | { readonly key: Uint8Array; readonly deletedAt: number }

const encoder = new TextEncoder()

/** Text of a key as a map's key: one character a byte, so that its order is byte order. */
export function nameOf(key: Uint8Array): string {
  let text = ''
  for (const byte of key) text += String.fromCharCode(byte)
  return text
}

/** Keys with their whole past. */
export class FakeStore {
  revision = 1
  compactedRevision = 0
  private readonly pasts = new Map<string, Version[]>()
  private names: string[] = []
  private isSorted = true
  /** Names whose newest version is a deletion. */
  private deletedCount = 0
  /** When a name was written that had not been there before, or came back. */
  private newestNameRevision = 0
  private readonly listeners = new Set<(changes: readonly WatchChange[]) => void>()
  /** Writes of one transaction share a revision; whether the first of them has made it. */
  private shared: { hasBegun: boolean } | undefined

  /** Writes many keys at once without telling the watches: the data that is there at the start. */
  load(pairs: Iterable<readonly [string, string]>): void {
    for (const [key, value] of pairs) this.write(encoder.encode(key), encoder.encode(value), 0n)
  }

  /** Writes one key in a revision of its own. */
  put(key: Uint8Array, value: Uint8Array, lease = 0n): WatchChange {
    const previous = this.find(key)
    const pair = this.write(key, value, lease)
    const change: WatchChange = {
      kind: 'put',
      key,
      revision: pair.modRevision,
      current: watched(pair),
      ...(previous === undefined ? {} : { previous: watched(previous) }),
    }
    this.tell([change])
    return change
  }

  /** Deletes keys in one revision; those that are not there are passed over. */
  delete(keys: readonly Uint8Array[]): readonly KeyValue[] {
    const there = keys.flatMap((key) => this.find(key) ?? [])
    if (there.length === 0) return []
    this.advance()
    this.deletedCount += there.length
    const changes = there.map((previous): WatchChange => {
      this.pasts.get(nameOf(previous.key))?.push({ key: previous.key, deletedAt: this.revision })
      return {
        kind: 'delete',
        key: previous.key,
        revision: this.revision,
        previous: watched(previous),
      }
    })
    this.tell(changes)
    return there
  }

  /** The key as of a revision; 0 is the head. */
  find(key: Uint8Array, revision = 0): KeyValue | undefined {
    const past = this.pasts.get(nameOf(key)) ?? []
    const last = past.findLast((one) => revision === 0 || revisionOf(one) <= revision)
    return last === undefined || 'deletedAt' in last ? undefined : last
  }

  /** A page, as the main process answers it. */
  range(request: RangeRequest): RangeReply {
    const names = this.sortedNames()
    const [start, end] = boundsOf(request.range)
    const after = request.after === undefined ? start : `${nameOf(request.after)}\u0000`
    const rows: KeyValue[] = []
    let count = 0
    const isAsLoaded =
      this.deletedCount === 0 &&
      (request.revision === 0 || request.revision >= this.newestNameRevision)
    const first = lowerBound(names, after > start ? after : start)
    const behind = end === undefined ? names.length : lowerBound(names, end)
    if (isAsLoaded && request.sort === undefined) {
      // Every name has a key then, so that places tell the count and nothing behind the page is looked at.
      count = Math.max(0, behind - first)
      for (let at = first; at < Math.min(behind, first + request.limit); at++) {
        const past = this.pasts.get(names[at] ?? '')?.[0]
        const pair = past === undefined ? undefined : this.find(past.key, request.revision)
        if (pair !== undefined) rows.push(pair)
      }
      return this.pageOf(request, rows, count)
    }
    for (let at = lowerBound(names, after > start ? after : start); at < names.length; at++) {
      const name = names[at] ?? ''
      if (end !== undefined && name >= end) break
      const past = this.pasts.get(name)?.[0]
      const pair = past === undefined ? undefined : this.find(past.key, request.revision)
      if (pair === undefined) continue
      count++
      if (request.sort !== undefined || rows.length < request.limit) rows.push(pair)
    }
    const { sort } = request
    if (sort !== undefined && sort.by !== 'key' && sort.by !== 'value') {
      const { by } = sort
      rows.sort((left, right) => (left[by] - right[by]) * (sort.isDescending ? -1 : 1))
      rows.length = Math.min(rows.length, request.limit)
    }
    return this.pageOf(request, rows, count)
  }

  /** Every readable change of a key, oldest first, beginning with what it was at the compacted revision. */
  history(key: Uint8Array, headBytesMax: number): readonly HistoryRow[] {
    const past = this.pasts.get(nameOf(key)) ?? []
    const base = past.findLastIndex((one) => revisionOf(one) <= this.compactedRevision)
    return past
      .slice(Math.max(0, base))
      .filter((one) => revisionOf(one) > this.compactedRevision || !('deletedAt' in one))
      .map((one): HistoryRow => {
        if ('deletedAt' in one) return { kind: 'delete', revision: one.deletedAt }
        const { createRevision, version, lease, value } = one
        return {
          kind: 'put',
          revision: one.modRevision,
          ...{ createRevision, version, lease },
          head: value.subarray(0, headBytesMax),
          valueSizeBytes: value.length,
        }
      })
  }

  /** Changes of a range from a revision on, oldest first. */
  changesFrom(range: KeyRange, revision: number): readonly WatchChange[] {
    const changes: WatchChange[] = []
    for (const past of this.pasts.values()) {
      past.forEach((one, index) => {
        if (revisionOf(one) < revision || !isIn(range, one.key)) return
        const before = past[index - 1]
        const previous =
          before === undefined || 'deletedAt' in before ? {} : { previous: watched(before) }
        const at = { key: one.key, revision: revisionOf(one), ...previous }
        if ('deletedAt' in one) changes.push({ kind: 'delete', ...at })
        else changes.push({ kind: 'put', ...at, current: watched(one) })
      })
    }
    return changes.sort((left, right) => left.revision - right.revision)
  }

  /** Tells every later change; the answer ends it. */
  listen(listener: (changes: readonly WatchChange[]) => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** Gives all writes that `run` makes the same revision. */
  inOneRevision<T>(run: () => T): T {
    this.shared = { hasBegun: false }
    try {
      return run()
    } finally {
      this.shared = undefined
    }
  }

  private advance(): void {
    if (this.shared?.hasBegun !== true) this.revision++
    if (this.shared !== undefined) this.shared.hasBegun = true
  }

  private write(key: Uint8Array, value: Uint8Array, lease: bigint): KeyValue {
    this.advance()
    const name = nameOf(key)
    const past = this.pasts.get(name)
    const last = past?.at(-1)
    const alive = last !== undefined && !('deletedAt' in last) ? last : undefined
    const pair: KeyValue = {
      key,
      value,
      createRevision: alive?.createRevision ?? this.revision,
      modRevision: this.revision,
      version: (alive?.version ?? 0) + 1,
      lease,
    }
    if (past === undefined) {
      this.pasts.set(name, [pair])
      this.isSorted = this.isSorted && (this.names.at(-1) ?? '') < name
      this.names.push(name)
      this.newestNameRevision = this.revision
    } else {
      if (alive === undefined) {
        this.deletedCount--
        this.newestNameRevision = this.revision
      }
      past.push(pair)
    }
    return pair
  }

  private pageOf(request: RangeRequest, rows: readonly KeyValue[], count: number): RangeReply {
    return {
      revision: request.revision === 0 ? this.revision : request.revision,
      headRevision: this.revision,
      count,
      hasMore: count > rows.length,
      columns: keyColumnsOf(
        rows.map((pair) => ({
          ...pair,
          value: pair.value.subarray(0, request.valueBytesMax),
          valueSizeBytes: request.valueBytesMax === 0 ? -1 : pair.value.length,
        })),
      ),
    }
  }

  private tell(changes: readonly WatchChange[]): void {
    for (const listener of this.listeners) listener(changes)
  }

  private sortedNames(): readonly string[] {
    if (!this.isSorted) this.names.sort((left, right) => (left < right ? -1 : 1))
    this.isSorted = true
    return this.names
  }
}

/** Whether a key lies in a range. */
export function isIn(range: KeyRange, key: Uint8Array): boolean {
  const [start, end] = boundsOf(range)
  const name = nameOf(key)
  return name >= start && (end === undefined || name < end)
}

function boundsOf(range: KeyRange): readonly [string, string | undefined] {
  switch (range.kind) {
    case 'key':
      return [nameOf(range.key), `${nameOf(range.key)}\u0000`]
    case 'prefix':
      return [nameOf(range.prefix), `${nameOf(range.prefix)}\u{ffff}`]
    case 'interval':
      return [nameOf(range.start), nameOf(range.end)]
    case 'from':
      return [nameOf(range.start), undefined]
    case 'all':
      return ['', undefined]
  }
}

function lowerBound(names: readonly string[], wanted: string): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((names[middle] ?? '') < wanted) low = middle + 1
    else high = middle
  }
  return low
}

function revisionOf(version: Version): number {
  return 'deletedAt' in version ? version.deletedAt : version.modRevision
}

function watched(pair: KeyValue): WatchedValue {
  const { value, createRevision, modRevision, version, lease } = pair
  return { bytes: value, sizeBytes: value.length, createRevision, modRevision, version, lease }
}
