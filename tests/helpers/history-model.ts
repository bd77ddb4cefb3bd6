/** What a store must know of the past of its keys, kept in memory by a test that wrote that past. */

/** One change of one key. */
export interface ModelChange {
  readonly kind: 'put' | 'delete'
  readonly key: string
  readonly revision: number
  /** Of a delete 0, and so are version and lease. */
  readonly createRevision: number
  readonly version: number
  readonly lease: bigint
  readonly value: string
  /** A lease ran out or was revoked. */
  readonly isByLease: boolean
}

/** A key that does not exist at the head, and whose deletion is kept. */
export interface ModelDeletion {
  readonly key: string
  readonly revision: number
  readonly isByLease: boolean
  /** The last value, if a read can still have it. */
  readonly last: ModelChange | undefined
  /** Every key that the same revision changed, this one included, in byte order. */
  readonly together: readonly string[]
}

/** Keys with their whole past, whatever was compacted. */
export class HistoryModel {
  headRevision: number
  compactedRevision = 0
  private readonly pasts = new Map<string, ModelChange[]>()

  /** @param headRevision  of the store before the first change is taken */
  constructor(headRevision: number) {
    this.headRevision = headRevision
  }

  /** Names that were ever written, in byte order. */
  get keys(): readonly string[] {
    return [...this.pasts.keys()].sort()
  }

  put(revision: number, key: string, options: { value: string; lease: bigint }): void {
    const last = this.past(key).at(-1)
    const alive = last?.kind === 'put' ? last : undefined
    this.past(key).push({
      kind: 'put',
      key,
      revision,
      createRevision: alive?.createRevision ?? revision,
      version: (alive?.version ?? 0) + 1,
      ...options,
      isByLease: false,
    })
    this.headRevision = Math.max(this.headRevision, revision)
  }

  /** A key that does not exist stays as it is. */
  delete(revision: number, key: string, options: { isByLease: boolean }): void {
    if (this.findAt(key, revision) === undefined) return
    this.past(key).push({
      ...{ kind: 'delete', key, revision, createRevision: 0, version: 0, lease: 0n, value: '' },
      ...options,
    })
    this.headRevision = Math.max(this.headRevision, revision)
  }

  /** The key as of a revision, whether or not that is compacted. */
  findAt(key: string, revision: number): ModelChange | undefined {
    const last = this.past(key).findLast((change) => change.revision <= revision)
    return last?.kind === 'put' ? last : undefined
  }

  /** Keys that exist at a revision and hold a lease. */
  heldBy(lease: bigint, revision: number): readonly string[] {
    return this.keys.filter((key) => this.findAt(key, revision)?.lease === lease)
  }

  /**
   * What can still be read of a key, oldest first: its value as of the compacted revision, whenever that was written, and
   * every later change.
   */
  historyOf(key: string): readonly ModelChange[] {
    const base = this.findAt(key, this.compactedRevision)
    const later = this.past(key).filter((change) => change.revision > this.compactedRevision)
    return base === undefined ? later : [base, ...later]
  }

  /** Every key of a prefix whose deletion is its last change and lies above the compacted revision, in byte order. */
  deletedUnder(prefix: string): readonly ModelDeletion[] {
    return this.keys.flatMap((key): ModelDeletion[] => {
      const end = this.past(key).at(-1)
      if (!key.startsWith(prefix) || end?.kind !== 'delete') return []
      if (end.revision <= this.compactedRevision) return []
      const { revision, isByLease } = end
      const isReadable = revision - 1 >= this.compactedRevision
      const last = isReadable ? this.findAt(key, revision - 1) : undefined
      return [{ key, revision, isByLease, last, together: this.keysAt(revision) }]
    })
  }

  /** Keys that one revision changed, in byte order. */
  keysAt(revision: number): readonly string[] {
    return this.keys.filter((key) => this.past(key).some((change) => change.revision === revision))
  }

  private past(key: string): ModelChange[] {
    const known = this.pasts.get(key)
    if (known !== undefined) return known
    const past: ModelChange[] = []
    this.pasts.set(key, past)
    return past
  }
}
