import { InvariantViolation } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { LeaseId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Backend, BackendBatch } from '../backend/backend.ts'
import type { RevisionChanges } from './change.ts'
import type { KeyRange } from './key-range.ts'
import type { StoredKeyValue } from './stored-key-value.ts'

export interface ReadRangeOptions {
  /** 0 or less: the current one. */
  readonly revision: number
  /** At most so many pairs; 0: no limit. */
  readonly limit: number
  readonly isCountOnly?: boolean
  /** Pairs without value and lease, from the index alone. */
  readonly isKeysOnly?: boolean
}

export interface ReadRangeResult {
  /** In byte order of the keys. */
  readonly keyValues: readonly StoredKeyValue[]
  /** How many keys the range holds at that revision, whatever the limit. */
  readonly count: number
  /** The store's current revision, not the one asked for. */
  readonly revision: number
}

export interface PutOutcome {
  /** The pair that was replaced; read from the store when asked for, so ask within the same turn. */
  readonly previous: StoredKeyValue | undefined
  readonly current: StoredKeyValue
}

export interface HashResult {
  readonly hash: number
  readonly compactedRevision: number
  readonly hashRevision: number
}

/** The changes of one applied request; sees its own writes. */
export interface WriteView {
  readRange(range: KeyRange, options: ReadRangeOptions): ReadRangeResult
  put(key: Uint8Array, value: Uint8Array, lease: LeaseId): PutOutcome
  /** @returns the pairs deleted, in key order; with `isKeysOnly` without values and leases, which is cheaper */
  deleteRange(range: KeyRange, options?: { readonly isKeysOnly?: boolean }): StoredKeyValue[]
  /** The revision a read inside sees now: the old one until something changed. */
  readonly revision: number
  /** Ends the request. Undefined: nothing changed, and the revision stays. */
  end(): RevisionChanges | undefined
}

export class MvccStore {
  static open(_backend: Backend, _options: { clock: Clock; logger: Logger }): MvccStore {
    throw new InvariantViolation('under construction')
  }
  get currentRevision(): number {
    throw new InvariantViolation('under construction')
  }
  get compactedRevision(): number {
    throw new InvariantViolation('under construction')
  }
  readRange(_range: KeyRange, _options: ReadRangeOptions): ReadRangeResult {
    throw new InvariantViolation('under construction')
  }
  findAt(_key: Uint8Array, _revision: number): StoredKeyValue | undefined {
    throw new InvariantViolation('under construction')
  }
  beginWrite(_batch: BackendBatch): WriteView {
    throw new InvariantViolation('under construction')
  }
  publish(): void {
    throw new InvariantViolation('under construction')
  }
  scheduleCompaction(_batch: BackendBatch, _revision: number): void {
    throw new InvariantViolation('under construction')
  }
  runCompactionStep(_batch: BackendBatch, _revisionCountMax: number): 'done' | 'more' {
    throw new InvariantViolation('under construction')
  }
  get hasCompactionWork(): boolean {
    throw new InvariantViolation('under construction')
  }
  changesBetween(_options: {
    readonly from: number
    readonly to: number
    readonly revisionCountMax: number
  }): readonly RevisionChanges[] {
    throw new InvariantViolation('under construction')
  }
  hashAt(_revision: number): Promise<HashResult> {
    throw new InvariantViolation('under construction')
  }
}
