/**
 * The store as the etcd v3 API describes it, written apart from the product: a list of versions per key, nothing clever.
 *
 * The judges replay the committed log through it and compare every answer and event. It never forgets history; a compaction
 * only moves the revision below which nothing may be answered.
 */
import { Compare_CompareResult, Compare_CompareTarget } from '../../../src/core/proto/gen/rpc.ts'
import type {
  Compare,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../../../src/core/proto/gen/rpc.ts'
import type { InternalRaftRequest } from '../../../src/core/proto/gen/raft_internal.ts'
import { latin1Of } from '../../../src/core/base/bytes.ts'

/** One pair in plain form, for comparing and printing. Keys and values are latin-1 text. */
export interface PlainPair {
  readonly key: string
  readonly value: string
  readonly create: number
  readonly mod: number
  readonly version: number
  /** The lease it is attached to, in decimal; absent for none. */
  readonly lease?: string
}

/** An answer in plain form. */
export type PlainAnswer =
  | { readonly kind: 'put'; readonly revision: number; readonly previous: PlainPair | undefined }
  | {
      readonly kind: 'deleteRange'
      readonly revision: number
      readonly deletedCount: number
      readonly previous: readonly PlainPair[]
    }
  | {
      readonly kind: 'range'
      readonly revision: number
      readonly pairs: readonly PlainPair[]
      readonly count: number
      readonly hasMore: boolean
    }
  | {
      readonly kind: 'txn'
      readonly revision: number
      readonly hasSucceeded: boolean
      readonly answers: readonly PlainAnswer[]
    }
  | { readonly kind: 'compact'; readonly revision: number }
  | { readonly kind: 'refused'; readonly code: 'compacted' | 'futureRevision' }

/** One change as a watch tells it. */
export interface PlainEvent {
  readonly kind: 'put' | 'delete'
  readonly revision: number
  readonly key: string
  readonly pair: PlainPair | undefined
  /** The pair just before the revision. */
  readonly previous: PlainPair | undefined
}

interface Version {
  readonly revision: number
  /** Undefined: deleted at this revision. */
  readonly pair: PlainPair | undefined
}

/** Bounds in latin-1; `end` undefined: one key, 'unbounded': no end. */
interface Bounds {
  readonly start: string
  readonly end: string | undefined
  readonly isUnbounded: boolean
}

export class StoreModel {
  revision = 1
  compactedRevision = -1
  /** Everything that ever changed, in order. */
  readonly events: PlainEvent[] = []
  private readonly versions = new Map<string, Version[]>()
  private readonly keysOfLease = new Map<string, Set<string>>()
  private readonly sortedKeys: string[] = []
  private isWriting = false
  private hasChanged = false

  /** Applies one log entry; undefined for requests that have nothing to do with keys. */
  apply(request: InternalRaftRequest): PlainAnswer | undefined {
    if (request.compaction !== undefined) return this.compact(request.compaction)
    if (request.range !== undefined) return this.range(request.range)
    this.isWriting = true
    this.hasChanged = false
    const answer = this.write(request)
    this.endWrite()
    return answer
  }

  /** The leases that keys are attached to, each with its keys. */
  get attachments(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.keysOfLease
  }

  /** Deletes keys that exist in one revision, in their order, as the end of a lease does. */
  deleteKeys(keys: Iterable<string>): void {
    this.isWriting = true
    this.hasChanged = false
    for (const key of [...keys].sort()) this.change(key, undefined)
    this.endWrite()
  }

  private write(request: InternalRaftRequest): PlainAnswer | undefined {
    if (request.put !== undefined) return this.put(request.put)
    if (request.deleteRange !== undefined) return this.deleteRange(request.deleteRange)
    return request.txn === undefined ? undefined : this.txn(request.txn)
  }

  private endWrite(): void {
    if (this.hasChanged) this.revision += 1
    this.isWriting = false
  }

  /** A range at any revision, whatever was compacted; `currentRevision` stands for 0. */
  rangeAt(request: RangeRequest, currentRevision: number): PlainAnswer {
    const asked = Number(request.revision)
    if (asked > currentRevision) return { kind: 'refused', code: 'futureRevision' }
    const revision = asked <= 0 ? currentRevision : asked
    const all = this.pairsAt(boundsOf(request.key, request.rangeEnd), revision)
    const limit = Number(request.limit)
    const cut = limit > 0 && all.length > limit ? all.slice(0, limit) : all
    const pairs = request.countOnly ? [] : request.keysOnly ? cut.map(withoutValue) : cut
    return {
      kind: 'range',
      revision: currentRevision,
      pairs,
      count: all.length,
      hasMore: !request.countOnly && cut.length < all.length,
    }
  }

  /** The pairs of a range as they were at a revision, by key. */
  pairsAt(bounds: Bounds, revision: number): readonly PlainPair[] {
    const pairs: PlainPair[] = []
    for (
      let position = firstAtOrAbove(this.sortedKeys, bounds.start);
      position < this.sortedKeys.length;
      position++
    ) {
      const key = this.sortedKeys[position]!
      if (!isWithin(bounds, key)) break
      const pair = this.pairAt(key, revision)
      if (pair !== undefined) pairs.push(pair)
    }
    return pairs
  }

  /** One pair as it was at a revision. */
  pairAt(key: string, revision: number): PlainPair | undefined {
    const versions = this.versions.get(key) ?? []
    const newest = versions.at(-1)
    if (newest === undefined || newest.revision <= revision) return newest?.pair
    let [low, high] = [0, versions.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (versions[middle]!.revision <= revision) low = middle + 1
      else high = middle
    }
    return versions[low - 1]?.pair
  }

  private get writeRevision(): number {
    return this.revision + 1
  }

  /** What a read inside the running request sees. */
  private get readRevision(): number {
    return this.isWriting && this.hasChanged ? this.writeRevision : this.revision
  }

  private put(request: PutRequest): PlainAnswer {
    const key = latin1Of(request.key)
    const previous = this.pairAt(key, this.readRevision)
    const lease = request.ignoreLease ? previous?.lease : leaseText(request.lease)
    const pair: PlainPair = {
      key,
      value: request.ignoreValue ? (previous?.value ?? '') : latin1Of(request.value),
      create: previous?.create ?? this.writeRevision,
      mod: this.writeRevision,
      version: (previous?.version ?? 0) + 1,
      ...(lease === undefined ? {} : { lease }),
    }
    this.change(key, pair)
    return {
      kind: 'put',
      revision: this.writeRevision,
      previous: request.prevKv ? previous : undefined,
    }
  }

  private deleteRange(request: DeleteRangeRequest): PlainAnswer {
    const pairs = this.pairsAt(boundsOf(request.key, request.rangeEnd), this.readRevision)
    for (const pair of pairs) this.change(pair.key, undefined)
    return {
      kind: 'deleteRange',
      revision: this.readRevision,
      deletedCount: pairs.length,
      previous: request.prevKv ? pairs : [],
    }
  }

  private range(request: RangeRequest): PlainAnswer {
    return this.rangeAt(request, this.readRevision)
  }

  private txn(request: TxnRequest): PlainAnswer & { kind: 'txn' } {
    const hasSucceeded = request.compare.every((compare) => this.holds(compare))
    const answers = (hasSucceeded ? request.success : request.failure).map((operation) =>
      this.operate(operation),
    )
    return { kind: 'txn', revision: this.readRevision, hasSucceeded, answers }
  }

  private operate(operation: RequestOp): PlainAnswer {
    const request = operation.request
    switch (request?.$case) {
      case 'requestPut':
        return this.put(request.value)
      case 'requestDeleteRange':
        return this.deleteRange(request.value)
      case 'requestRange':
        return this.range(request.value)
      case 'requestTxn':
        return this.txn(request.value)
      case undefined:
        throw new Error('an operation of a transaction asks for nothing')
    }
  }

  /** A compare holds for every key of its range; a missing key has version, revisions 0 and an empty value. */
  private holds(compare: Compare): boolean {
    const bounds = boundsOf(compare.key, compare.rangeEnd)
    const isSingle = bounds.end === undefined && !bounds.isUnbounded
    const pairs = this.pairsAt(bounds, this.revision)
    const missing: PlainPair = { key: bounds.start, value: '', create: 0, mod: 0, version: 0 }
    if (pairs.length > 0) return pairs.every((pair) => holdsFor(compare, pair))
    // A value compare of a missing key never holds.
    return (
      compare.target !== Compare_CompareTarget.VALUE &&
      holdsFor(compare, missing) &&
      (isSingle || pairs.length === 0)
    )
  }

  private compact(request: CompactionRequest): PlainAnswer {
    const revision = Number(request.revision)
    if (revision <= this.compactedRevision) return { kind: 'refused', code: 'compacted' }
    if (revision > this.revision) return { kind: 'refused', code: 'futureRevision' }
    this.compactedRevision = revision
    return { kind: 'compact', revision: this.revision }
  }

  private change(key: string, pair: PlainPair | undefined): void {
    let versions = this.versions.get(key)
    if (versions === undefined) {
      versions = []
      this.versions.set(key, versions)
      this.sortedKeys.splice(firstAtOrAbove(this.sortedKeys, key), 0, key)
    }
    this.attach(key, { from: versions.at(-1)?.pair?.lease, to: pair?.lease })
    this.events.push({
      kind: pair === undefined ? 'delete' : 'put',
      revision: this.writeRevision,
      key,
      pair,
      previous: this.pairAt(key, this.revision),
    })
    versions.push({ revision: this.writeRevision, pair })
    this.hasChanged = true
  }

  private attach(
    key: string,
    { from, to }: { readonly from: string | undefined; readonly to: string | undefined },
  ): void {
    if (from !== undefined) {
      const keys = this.keysOfLease.get(from)
      keys?.delete(key)
      if (keys?.size === 0) this.keysOfLease.delete(from)
    }
    if (to === undefined) return
    const keys = this.keysOfLease.get(to)
    if (keys === undefined) this.keysOfLease.set(to, new Set([key]))
    else keys.add(key)
  }
}

/** Position of the first key that is not below another, in ascending keys. */
function firstAtOrAbove(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

/** A pair as ranges of keys alone tell it: from release 3.7 on without its lease. */
export function withoutValue({ key, create, mod, version }: PlainPair): PlainPair {
  return { key, value: '', create, mod, version }
}

/** How a pair names its lease; undefined for none. */
export function leaseText(lease: bigint): string | undefined {
  return lease === 0n ? undefined : String(lease)
}

/** Resolves the wire's range ends. */
export function boundsOf(key: Uint8Array, rangeEnd: Uint8Array): Bounds {
  const start = latin1Of(key)
  const end = latin1Of(rangeEnd)
  if (end === '') return { start, end: undefined, isUnbounded: false }
  if (end === '\0') return { start, end: undefined, isUnbounded: true }
  return { start, end, isUnbounded: false }
}

/** Whether a key lies within bounds. */
export function isWithin(bounds: Bounds, key: string): boolean {
  if (bounds.isUnbounded) return key >= bounds.start
  if (bounds.end === undefined) return key === bounds.start
  return key >= bounds.start && key < bounds.end
}

function holdsFor(compare: Compare, pair: PlainPair): boolean {
  const order = orderOf(compare, pair)
  switch (compare.result) {
    case Compare_CompareResult.EQUAL:
      return order === 0
    case Compare_CompareResult.GREATER:
      return order > 0
    case Compare_CompareResult.LESS:
      return order < 0
    case Compare_CompareResult.NOT_EQUAL:
      return order !== 0
    default:
      throw new Error('unknown compare result')
  }
}

/** Negative, zero or positive as the pair's field is below, at or above what the compare names. */
function orderOf(compare: Compare, pair: PlainPair): number {
  const target = compare.targetUnion
  switch (target?.$case) {
    case 'version':
      return pair.version - Number(target.value)
    case 'createRevision':
      return pair.create - Number(target.value)
    case 'modRevision':
      return pair.mod - Number(target.value)
    case 'value': {
      const value = latin1Of(target.value)
      return pair.value < value ? -1 : pair.value > value ? 1 : 0
    }
    case 'lease':
      return Number(BigInt(pair.lease ?? 0) - target.value)
    case undefined:
      return 0
  }
}
