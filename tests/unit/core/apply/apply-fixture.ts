/** One replicated state in memory, and short ways to feed it. */
import { AlarmStore } from '../../../../src/core/apply/alarm-store.ts'
import {
  Applier,
  type ApplyTurn,
  type CommittedEntry,
  type ReplicatedState,
} from '../../../../src/core/apply/applier.ts'
import { readAppliedState } from '../../../../src/core/apply/applied-index.ts'
import type { ApplyResult } from '../../../../src/core/apply/apply-result.ts'
import { encodeEnvelope, type LoggedRequest } from '../../../../src/core/apply/request-envelope.ts'
import {
  MemoryBackendFactory,
  type MemoryBackend,
} from '../../../../src/core/backend/memory-backend.ts'
import { bucketNames } from '../../../../src/core/backend/buckets.ts'
import { hexOf } from '../../../../src/core/base/bytes.ts'
import type { Clock } from '../../../../src/core/base/clock.ts'
import { requestId } from '../../../../src/core/base/ids.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import { ClusterMembership } from '../../../../src/core/membership/cluster-membership.ts'
import { AuthStore, type AuthInfo } from '../../../../src/core/auth/auth-store.ts'
import { LeaseStore } from '../../../../src/core/lease/lease-store.ts'
import { MvccStore } from '../../../../src/core/mvcc/mvcc-store.ts'
import {
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
  type RequestOp,
} from '../../../../src/core/proto/gen/rpc.ts'

/** A clock that stands still and calls back in microtasks. */
export const stillClock: Clock = {
  monotonicMs: () => 0,
  wallMs: () => 0,
  setTimer: (_delayMs, callback) => {
    void Promise.resolve().then(callback)
    return { cancel: () => undefined }
  },
  nextTurn: (callback) => void Promise.resolve().then(callback),
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (value: Uint8Array): string => new TextDecoder().decode(value)

export const put = (key: string, value = '', more: Partial<PutRequest> = {}): PutRequest =>
  PutRequest.fromPartial({ key: bytes(key), value: bytes(value), ...more })
export const range = (key: string, more: Partial<RangeRequest> = {}): RangeRequest =>
  RangeRequest.fromPartial({ key: bytes(key), ...more })
export const deletion = (key: string, end = ''): DeleteRangeRequest =>
  DeleteRangeRequest.fromPartial({ key: bytes(key), rangeEnd: bytes(end), prevKv: true })
export const txn = (parts: Partial<TxnRequest>): TxnRequest =>
  TxnRequest.fromPartial({ compare: [], success: [], failure: [], ...parts })

export const op = {
  put: (request: PutRequest): RequestOp => ({ request: { $case: 'requestPut', value: request } }),
  range: (request: RangeRequest): RequestOp => ({
    request: { $case: 'requestRange', value: request },
  }),
  deletion: (request: DeleteRangeRequest): RequestOp => ({
    request: { $case: 'requestDeleteRange', value: request },
  }),
  txn: (request: TxnRequest): RequestOp => ({ request: { $case: 'requestTxn', value: request } }),
}

export const logged = {
  put: (request: PutRequest): LoggedRequest => ({ kind: 'put', request }),
  deletion: (request: DeleteRangeRequest): LoggedRequest => ({ kind: 'deleteRange', request }),
  txn: (request: TxnRequest): LoggedRequest => ({ kind: 'txn', request }),
  compact: (revision: bigint): LoggedRequest => ({
    kind: 'compact',
    request: CompactionRequest.fromPartial({ revision }),
  }),
  alarm: (request: Partial<AlarmRequest>): LoggedRequest => ({
    kind: 'alarm',
    request: AlarmRequest.fromPartial(request),
  }),
}

export class ApplyFixture {
  readonly factory = new MemoryBackendFactory()
  backend!: MemoryBackend
  state!: ReplicatedState
  applier!: Applier
  nextIndex = 1
  term = 1

  static async open(): Promise<ApplyFixture> {
    const fixture = new ApplyFixture()
    await fixture.reopen()
    return fixture
  }

  /** Opens what the backend holds, as a restart does. */
  async reopen(): Promise<void> {
    const backend = await this.factory.open('/db')
    this.backend = this.factory.findOpen('/db')!
    this.state = {
      backend,
      store: MvccStore.open(backend, { clock: stillClock, logger: silentLogger }),
      membership: ClusterMembership.open(backend),
      alarms: AlarmStore.open(backend),
      leases: LeaseStore.open(backend),
      auth: AuthStore.open(backend),
    }
    this.applier = new Applier(this.state, readAppliedState(backend), { storesIndexApart: false })
  }

  /** The next entry, asked for by `requester` or by nobody. */
  entryOf(request: LoggedRequest, requester?: AuthInfo): CommittedEntry {
    const index = this.nextIndex++
    const id = requestId(BigInt(index))
    const data = encodeEnvelope({ id, logged: request, requester })
    return { index, term: this.term, kind: 'normal', data }
  }

  applyEntries(entries: readonly CommittedEntry[], isAwaited = true): ApplyTurn {
    return this.applier.apply(entries, {
      applyConfChange: () => {
        throw new Error('no configuration entry was expected')
      },
      isAwaited: () => isAwaited,
    })
  }

  /** Applies one request alone and returns its answer. */
  apply(request: LoggedRequest, requester?: AuthInfo): ApplyResult | StoreError {
    const [outcome] = this.applyEntries([this.entryOf(request, requester)]).outcomes
    if (outcome === undefined) throw new Error('the request was not answered')
    return outcome.outcome
  }

  /** Applies one request alone; its code when it was refused. */
  refusalOf(request: LoggedRequest, requester?: AuthInfo): string | undefined {
    const outcome = this.apply(request, requester)
    return outcome instanceof StoreError ? outcome.code : undefined
  }

  put(key: string, value = ''): void {
    this.apply(logged.put(put(key, value)))
  }

  /** Every record of every bucket, for comparing whole states. */
  dump(): string {
    const lines: string[] = []
    for (const bucket of bucketNames) {
      for (const record of this.backend.scan(bucket, {})) {
        lines.push(`${bucket} ${hexOf(record.key)} ${hexOf(record.value)}`)
      }
    }
    return lines.join('\n')
  }
}
