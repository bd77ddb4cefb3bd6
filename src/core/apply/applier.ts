/**
 * The state machine: committed entries in, effects and answers out.
 *
 * The problem: every member must end up with the same state, an entry must never take effect twice, and half an entry must
 * never be followed by the next one. The plain idea: a run of entries is executed synchronously into one batch that also
 * carries the index of the last one; the batch becomes visible whole, and a restart goes on behind the stored index. What
 * a request asks wrongly is answered and changes nothing, the same on every member; any other failure is a bug or damage,
 * passes through, and stops the node. Example: entries 7 (put a), 8 (put to a missing lease), 9 (empty, a new term) give
 * one batch with a's records and index 9, an answer for 7, an error for 8 and nothing for 9.
 *
 * What is left out: who waits for answers and who watches. Nothing here knows the time, chance or local settings.
 */
import { failpoint } from '../base/failpoints.ts'
import type { AuthInfo, AuthStore } from '../auth/auth-store.ts'
import type { Backend, BackendBatch } from '../backend/backend.ts'
import { assert, assertNever, InvariantViolation } from '../base/assert.ts'
import { nodeId, type LeaseId, type RequestId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { LeaseStore } from '../lease/lease-store.ts'
import type { ClusterMembership } from '../membership/cluster-membership.ts'
import type { RevisionChanges } from '../mvcc/change.ts'
import type { MvccStore } from '../mvcc/mvcc-store.ts'
import type { WriteView } from '../mvcc/write-view.ts'
import type { TxnRequest } from '../proto/gen/rpc.ts'
import { checkAccess } from './access-check.ts'
import type { AlarmStore } from './alarm-store.ts'
import { applyAuthOperation, type TokenChange } from './apply-auth.ts'
import {
  applyDeleteRange,
  applyPut,
  checkDeleteRange,
  checkPut,
  type PutContext,
} from './apply-kv.ts'
import {
  applyLeaseCheckpoint,
  applyLeaseGrant,
  applyLeaseRevoke,
  followKeys,
  type LeaseChanges,
  type LeaseContext,
} from './apply-lease.ts'
import { applyAlarm, applyCompaction, applyDowngrade } from './apply-maintenance.ts'
import {
  applyMembershipChange,
  decodeMembershipEntry,
  type RaftChange,
} from './apply-membership.ts'
import type { ApplyResult } from './apply-result.ts'
import { applyPath, checkPath, choosePath } from './apply-txn.ts'
import type { AuthOperation } from './auth-operation.ts'
import { writeAppliedState, type AppliedConfState } from './applied-index.ts'
import { readRangeRequest } from './range-request.ts'
import { decodeEnvelope, type KnownTxn, type LoggedRequest } from './request-envelope.ts'
import { costOfTxn } from './write-cost.ts'

/** A committed log entry; the same shape as Raft's own record. */
export interface CommittedEntry {
  readonly index: number
  readonly term: number
  readonly kind: 'normal' | 'confChange' | 'confChangeV2'
  readonly data: Uint8Array
}

/** Everything that applied entries change. */
export interface ReplicatedState {
  readonly backend: Backend
  readonly store: MvccStore
  readonly membership: ClusterMembership
  readonly alarms: AlarmStore
  readonly leases: LeaseStore
  readonly auth: AuthStore
}

/** What the applier asks of its host while it applies. */
export interface ApplyHost {
  /** Makes Raft take part in the change; returns its configuration from now on. */
  applyConfChange(change: RaftChange): AppliedConfState
  /** Whether somebody here waits for the answer to this request. */
  isAwaited(id: RequestId): boolean
  /** See {@link KnownTxn}. */
  readonly findKnownTxn?: KnownTxn
  /** Told of each request that was carried out or refused. */
  readonly noteApplied?: (logged: LoggedRequest, hasSucceeded: boolean) => void
}

/** The answer to one request, whoever waits for it. */
export interface EntryOutcome {
  readonly id: RequestId
  readonly outcome: ApplyResult | StoreError
}

/** What a run of entries did. Everything in it is visible already. */
export interface ApplyTurn {
  readonly outcomes: readonly EntryOutcome[]
  /** For the watchers, in order. */
  readonly changes: readonly RevisionChanges[]
  readonly isMembershipChanged: boolean
  /** The first entry of a leader's term was among them: it may confirm reads from now on. */
  readonly hasTermStart: boolean
  /** For whoever keeps the time of leases. */
  readonly leaseChanges: LeaseChanges
  /** For whoever keeps tokens. */
  readonly tokenChanges: readonly TokenChange[]
}

interface OpenTurn {
  readonly batch: BackendBatch
  readonly host: ApplyHost
  readonly outcomes: EntryOutcome[]
  readonly changes: RevisionChanges[]
  confState: AppliedConfState | undefined
  readonly leaseChanges: LeaseChanges
  readonly tokenChanges: TokenChange[]
  isMembershipChanged: boolean
  hasTermStart: boolean
}

/** Applies entries to one replicated state, strictly in the order of their indexes. */
export class Applier {
  private readonly state: ReplicatedState
  private readonly storesIndexApart: boolean
  /** Invariant: equals the index stored with the newest committed batch. */
  private lastIndex: number
  private lastTerm: number

  /** @param options  `storesIndexApart` plants the bug M4 */
  constructor(
    state: ReplicatedState,
    applied: { readonly index: number; readonly term: number },
    options: { readonly storesIndexApart: boolean },
  ) {
    this.state = state
    this.lastIndex = applied.index
    this.lastTerm = applied.term
    this.storesIndexApart = options.storesIndexApart
  }

  /** Index of the last applied entry. */
  get appliedIndex(): number {
    return this.lastIndex
  }

  /** Term of the last applied entry. */
  get appliedTerm(): number {
    return this.lastTerm
  }

  /**
   * Applies a run of entries. Those at or below {@link appliedIndex} are skipped.
   * @throws InvariantViolation | StorageFault  the state is unknown from then on, the node must stop
   */
  apply(entries: readonly CommittedEntry[], host: ApplyHost): ApplyTurn {
    const turn: OpenTurn = {
      batch: this.state.backend.beginBatch(),
      host,
      outcomes: [],
      changes: [],
      confState: undefined,
      isMembershipChanged: false,
      hasTermStart: false,
      leaseChanges: { granted: [], revoked: [] },
      tokenChanges: [],
    }
    for (const entry of entries) {
      if (entry.index <= this.lastIndex) continue
      assert(entry.index === this.lastIndex + 1, 'entries are applied without a gap')
      failpoint(entry.kind === 'normal' ? 'beforeApplyOneEntryNormal' : 'beforeApplyOneConfChange')
      this.applyEntry(turn, entry)
      this.lastIndex = entry.index
      this.lastTerm = entry.term
    }
    this.commit(turn)
    return turn
  }

  private commit(turn: OpenTurn): void {
    const applied = { index: this.lastIndex, term: this.lastTerm, confState: turn.confState }
    const { backend, store } = this.state
    if (!this.storesIndexApart) {
      failpoint('commitBeforePreCommitHook')
      writeAppliedState(turn.batch, applied)
      failpoint('commitAfterPreCommitHook')
      backend.commitBatch(turn.batch)
    } else {
      backend.commitBatch(turn.batch)
      const apart = backend.beginBatch()
      writeAppliedState(apart, applied)
      backend.commitBatch(apart)
    }
    store.publish()
  }

  private applyEntry(turn: OpenTurn, entry: CommittedEntry): void {
    switch (entry.kind) {
      case 'normal':
        if (entry.data.length === 0) turn.hasTermStart = true
        else this.applyRequest(turn, entry)
        return
      case 'confChange':
        this.applyConfEntry(turn, entry.data)
        return
      case 'confChangeV2':
        // Joint changes are never proposed here, and a member that skipped one would count other quorums than the rest.
        throw new InvariantViolation('the log holds a joint configuration change')
      default:
        assertNever(entry.kind, 'entry kind')
    }
  }

  private applyConfEntry(turn: OpenTurn, data: Uint8Array): void {
    const { id, change } = decodeMembershipEntry(data)
    const outcome = applyMembershipChange(this.state.membership, turn.batch, change)
    turn.confState = turn.host.applyConfChange(outcome.raftChange)
    turn.isMembershipChanged = true
    const result: ApplyResult = { kind: 'membership', members: this.state.membership.list() }
    turn.outcomes.push({ id, outcome: outcome.error ?? result })
  }

  private applyRequest(turn: OpenTurn, entry: CommittedEntry): void {
    const { id, logged, requester } = decodeEnvelope(entry.data, turn.host.findKnownTxn)
    const isAwaited = turn.host.isAwaited(id)
    // A request that is refused must have changed nothing, so the view is checked to be untouched.
    const view = this.state.store.beginWrite(turn.batch)
    const revisionBefore = view.revision
    let outcome: ApplyResult | StoreError
    try {
      this.refuseByAlarm(logged)
      if (this.state.auth.isEnabled) checkAccess(this.state, requester ?? nobody, logged)
      outcome = this.execute({ turn, view, isAwaited, index: entry.index }, logged)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      assert(view.revision === revisionBefore, 'a refused request leaves no trace')
      outcome = error
    }
    const changes = view.end()
    if (changes !== undefined) {
      followKeys(this.state.leases, turn.batch, changes)
      turn.changes.push(changes)
    }
    if (isAwaited) turn.outcomes.push({ id, outcome })
    turn.host.noteApplied?.(logged, !(outcome instanceof StoreError))
  }

  /** @throws StoreError `corrupt`, `noSpace` */
  private refuseByAlarm(logged: LoggedRequest): void {
    const { alarms } = this.state
    if (!alarms.isAnyRaised) return
    const mayChangeKeys = kindsRefusedWhenCorrupt.has(logged.kind)
    if (mayChangeKeys && alarms.isRaised('corrupt')) throw new StoreError('corrupt')
    const grows =
      logged.kind === 'put' ||
      logged.kind === 'leaseGrant' ||
      (logged.kind === 'txn' && costOfTxn(logged.request) > 0)
    if (grows && alarms.isRaised('noSpace')) throw new StoreError('noSpace')
  }

  private execute(context: RequestContext, logged: LoggedRequest): ApplyResult {
    const { turn, view } = context
    switch (logged.kind) {
      case 'put':
        checkPut(this.putContext(view), logged.request)
        return applyPut(view, logged.request)
      case 'deleteRange':
        checkDeleteRange(logged.request)
        return applyDeleteRange(view, logged.request)
      case 'range':
        return readRangeRequest(view, logged.request)
      case 'txn':
        return this.applyTxn(view, logged.request, context.isAwaited)
      case 'compact':
        return {
          ...applyCompaction(this.state.store, turn.batch, logged.request),
          revision: view.revision,
        }
      case 'alarm': {
        const alarms = applyAlarm(this.state.alarms, turn.batch, logged.request)
        return { kind: 'alarm', alarms, revision: view.revision }
      }
      case 'leaseGrant': {
        const lease = applyLeaseGrant(this.leaseContext(turn), logged.request)
        return { kind: 'leaseGrant', lease, revision: view.revision }
      }
      case 'leaseRevoke':
        applyLeaseRevoke(this.leaseContext(turn), view, logged.request)
        return { kind: 'done', revision: view.revision }
      case 'leaseCheckpoint':
        applyLeaseCheckpoint(this.leaseContext(turn), logged.request)
        return { kind: 'done', revision: view.revision }
      case 'auth':
        return this.applyAuth(context, logged.operation)
      case 'memberAttributes':
      case 'clusterVersion':
        return this.applyMemberNotice(turn, logged)
      case 'downgrade': {
        applyDowngrade(this.state.membership.clusterVersion, turn.batch, logged.request)
        return { kind: 'done', revision: view.revision }
      }
      case 'nothing':
        return { kind: 'done', revision: view.revision }
      default:
        return assertNever(logged, 'request')
    }
  }

  private applyAuth({ turn, view, index }: RequestContext, operation: AuthOperation): ApplyResult {
    const { batch, tokenChanges } = turn
    const token = applyAuthOperation(
      { auth: this.state.auth, batch, index, tokenChanges },
      operation,
    )
    return { kind: 'auth', token, revision: view.revision }
  }

  /** What a member says of itself, or the leader of the cluster. */
  private applyMemberNotice(
    turn: OpenTurn,
    logged: Extract<LoggedRequest, { readonly kind: 'memberAttributes' | 'clusterVersion' }>,
  ): ApplyResult {
    const { membership } = this.state
    if (logged.kind === 'clusterVersion') {
      membership.clusterVersion.setVersion(turn.batch, logged.request.ver)
    } else {
      const { memberID, memberAttributes } = logged.request
      membership.publish(turn.batch, nodeId(memberID), {
        name: memberAttributes?.name ?? '',
        clientUrls: memberAttributes?.clientUrls ?? [],
      })
      turn.isMembershipChanged = true
    }
    return { kind: 'membership', members: membership.list() }
  }

  private applyTxn(view: WriteView, request: TxnRequest, isAwaited: boolean): ApplyResult {
    const context = this.putContext(view)
    const path = choosePath(view, request)
    checkPath(context, path, {
      current: view.revision,
      compacted: this.state.store.compactedRevision,
    })
    return applyPath(context, path, isAwaited)
  }

  private putContext(view: WriteView): PutContext {
    return { view, isLeaseKnown: this.isLeaseKnown }
  }

  private readonly isLeaseKnown = (lease: LeaseId): boolean => this.state.leases.has(lease)

  private leaseContext(turn: OpenTurn): LeaseContext {
    return { leases: this.state.leases, batch: turn.batch, changes: turn.leaseChanges }
  }
}

/** One request while it is carried out. */
interface RequestContext {
  readonly turn: OpenTurn
  readonly view: WriteView
  readonly isAwaited: boolean
  /** Of the entry. */
  readonly index: number
}

/** A request that nobody put his name to. */
const nobody: AuthInfo = { username: '', revision: 0 }

/** Writes that an alarm about damaged data stops; the rest helps to find out or to repair. */
const kindsRefusedWhenCorrupt: ReadonlySet<LoggedRequest['kind']> = new Set([
  'put',
  'deleteRange',
  'txn',
  'compact',
  'leaseGrant',
  'leaseRevoke',
])
