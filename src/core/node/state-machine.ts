/**
 * The replicated state of one node with everything that hangs on it: the database in force, the applier, the watchers,
 * and the two things that run beside applying, compaction and the sending of the whole state to a peer.
 *
 * A snapshot from a peer replaces the database under the watchers; whoever still reads the old one (a transfer, a hash
 * over all keys) keeps it open until it is done.
 */
import { failpoint, failpointPause } from '../base/failpoints.ts'
import { AlarmStore } from '../apply/alarm-store.ts'
import {
  Applier,
  type ApplyHost,
  type ApplyTurn,
  type CommittedEntry,
  type ReplicatedState,
} from '../apply/applier.ts'
import { readAppliedState, type AppliedState } from '../apply/applied-index.ts'
import { AuthStore } from '../auth/auth-store.ts'
import type { Backend, BackendBatch, BackendFactory, BackendView } from '../backend/backend.ts'
import { assert } from '../base/assert.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import { StoreError } from '../errors/store-error.ts'
import { LeaseStore } from '../lease/lease-store.ts'
import { ClusterMembership } from '../membership/cluster-membership.ts'
import { MvccStore, type HashResult } from '../mvcc/mvcc-store.ts'
import { OperationCounts } from '../mvcc/operation-counts.ts'
import type { LogIndex } from '../raft/message.ts'
import { hashDatabase } from '../snapshot/database-hash.ts'
import { WatchHub } from '../watch/watch-hub.ts'
import type { DatabaseFolder } from './database-folder.ts'

/** How long one turn is kept by a compaction, which goes on after a pause. */
const compactionSliceMs = 1
/** etcd's figure. */
const keptHashCount = 10
/** Changes looked at before the clock is: some 100 µs. */
const compactionStepRevisionsMax = 64

export interface StateMachineOptions {
  readonly compactionBatchRevisionsMax: number
  readonly compactionPauseMs: number
  /** Whether {@link StateMachine.compactionHashes} is filled; that reads all of the key space at each compaction. */
  readonly keepsCompactionHashes: boolean
  /** Learners that the cluster may have at a time. */
  readonly learnerCountMax: number
  /** Plants the bug M4. */
  readonly storesIndexApart: boolean
  /** A background step failed; the node must stop. */
  readonly onFault: (fault: Error) => void
}

export interface StateMachineParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly factory: BackendFactory
  readonly folder: DatabaseFolder
}

/** One database with the number of those who read it over many turns. */
interface OpenDatabase {
  readonly state: ReplicatedState
  /** By which its folder knows it. */
  number: number
  readerCount: number
  isReplaced: boolean
}

/** A frozen view of the whole state, which keeps its database open. */
export interface StateView {
  readonly view: BackendView
  close(): void
}

/** Everything that entries change, and its readers. */
export class StateMachine {
  readonly watchHub: WatchHub
  readonly operations = new OperationCounts()
  private readonly parts: StateMachineParts
  private readonly options: StateMachineOptions
  private database: OpenDatabase
  private applier: Applier
  private hashes: readonly HashResult[] = []
  private compactionTimer: Timer | undefined
  private compactionWaiters: (() => void)[] = []
  /** Settles with the last defragmentation that was asked for. */
  private lastDefragmentation: Promise<unknown> = Promise.resolve()
  private defragmentationCount = 0
  private installCount = 0
  private isClosed = false

  private constructor(parts: StateMachineParts, options: StateMachineOptions, backend: Backend) {
    this.parts = parts
    this.options = options
    const { state, applied } = this.openState(backend)
    this.database = { state, number: parts.folder.liveNumber, readerCount: 0, isReplaced: false }
    this.applier = this.applierFor(state, applied)
    this.watchHub = new WatchHub(state.store, { clock: parts.clock, logger: parts.logger })
  }

  /** Takes over an open backend. @throws StorageFault when what it holds cannot be read */
  static open(
    parts: StateMachineParts,
    options: StateMachineOptions,
    backend: Backend,
  ): StateMachine {
    const machine = new StateMachine(parts, options, backend)
    machine.scheduleCompaction()
    return machine
  }

  get state(): ReplicatedState {
    return this.database.state
  }

  get appliedIndex(): LogIndex {
    return this.applier.appliedIndex
  }

  get appliedTerm(): number {
    return this.applier.appliedTerm
  }

  /** Applies a run of entries and tells the watchers. @throws InvariantViolation | StorageFault fatal */
  apply(entries: readonly CommittedEntry[], host: ApplyHost): ApplyTurn {
    const { store } = this.state
    const compactedBefore = store.compactedRevision
    const turn = this.applier.apply(entries, host)
    if (this.options.keepsCompactionHashes && store.compactedRevision > compactedBefore) {
      this.hashCompaction(store.compactedRevision, compactedBefore)
    }
    if (turn.changes.length > 0) this.watchHub.notify(turn.changes)
    this.scheduleCompaction()
    return turn
  }

  /**
   * Replaces the database by the one received for a snapshot.
   * @throws StorageFault when none was received, or it does not reach the snapshot's index
   */
  async install(index: LogIndex): Promise<void> {
    this.installCount++
    try {
      await this.installNow(index)
    } finally {
      this.installCount--
    }
  }

  /** Whether a received database is being put in force. */
  get isInstalling(): boolean {
    return this.installCount > 0
  }

  private async installNow(index: LogIndex): Promise<void> {
    this.stopCompaction()
    await failpointPause('applyBeforeOpenSnapshot')
    const backend = await this.parts.folder.switchTo(index)
    await failpointPause('applyAfterOpenSnapshot')
    const { state, applied } = this.openState(backend)
    if (applied.index !== index) {
      throw new StorageFault(
        `the received database is at index ${applied.index}, its snapshot at ${index}`,
        { path: 'member/db' },
      )
    }
    const old = this.database
    const number = this.parts.folder.liveNumber
    this.database = { state, number, readerCount: 0, isReplaced: false }
    this.applier = this.applierFor(state, applied)
    this.watchHub.reset(state.store)
    old.isReplaced = true
    this.closeWhenUnread(old)
    if (!state.store.hasCompactionWork) this.releaseCompactionWaiters()
    this.scheduleCompaction()
  }

  /**
   * The whole state as of the last applied entry, for a peer. No entry may be applied between reading `appliedIndex` and
   * this call. Must be closed, once.
   */
  freeze(): StateView {
    const database = this.database
    const releaseDatabase = this.retain(database)
    const view = database.state.backend.openView()
    return {
      view,
      close: () => {
        view.close()
        releaseDatabase()
      },
    }
  }

  /** What was there at the latest compactions, hashed before any of it was removed; the newest first. */
  get compactionHashes(): readonly HashResult[] {
    return this.hashes
  }

  /** The hash by which members are compared. @throws StoreError `compacted`, `futureRevision`, `stopped` */
  async hashAt(revision: number): Promise<HashResult> {
    if (this.isClosed) throw new StoreError('stopped')
    const kept = this.hashes.find((hash) => hash.hashRevision === revision)
    return kept ?? this.withDatabase(({ store }) => store.hashAt(revision))
  }

  /** Hash over everything replicated, as of now. @throws StoreError `stopped` */
  async hashAll(): Promise<number> {
    if (this.isClosed) throw new StoreError('stopped')
    const frozen = this.freeze()
    try {
      return await hashDatabase(frozen.view, this.parts.clock)
    } finally {
      frozen.close()
    }
  }

  /** Begins at once, on a view of what is there now. */
  private hashCompaction(revision: number, compactedBefore: number): void {
    this.withDatabase(({ store }) => store.hashOfCompaction(revision, compactedBefore))
      .then((hash) => {
        this.hashes = [hash, ...this.hashes].slice(0, keptHashCount)
      })
      .catch((error: unknown) => {
        // A node that ends closes what is being read.
        if (!this.isClosed) {
          this.parts.logger.warn('a compaction was not hashed', { revision, reason: String(error) })
        }
      })
  }

  /** Runs something that reads the database over many turns. */
  async withDatabase<Result>(read: (state: ReplicatedState) => Promise<Result>): Promise<Result> {
    const release = this.retain(this.database)
    try {
      return await read(this.state)
    } finally {
      release()
    }
  }

  /** Whether the database is being defragmented. */
  get isDefragmenting(): boolean {
    return this.defragmentationCount > 0
  }

  /**
   * Gives the room that removed records leave behind back to the system, while entries are applied and read. One after the
   * other, if asked for more than once.
   *
   * @throws Error when the copy cannot be made, which changes nothing
   */
  defragment(): Promise<void> {
    const done = this.lastDefragmentation.then(() => this.defragmentNow())
    // Whoever asked is told of a failure; the next one only waits for its end.
    this.lastDefragmentation = done.catch(() => undefined)
    return done
  }

  private async defragmentNow(): Promise<void> {
    if (this.isClosed) throw new StoreError('stopped')
    const { database } = this
    const { clock, logger, folder } = this.parts
    const { backend } = database.state
    const release = this.retain(database)
    const before = backend.size()
    const startMs = clock.monotonicMs()
    this.defragmentationCount++
    logger.info('defragmenting', { ...before })
    try {
      const number = await folder.defragment(backend)
      // Otherwise a received database took its place, and has no gaps.
      if (number !== undefined) database.number = number
      const tookMs = clock.monotonicMs() - startMs
      logger.info('finished defragmenting directory', { tookMs, before, after: backend.size() })
    } finally {
      this.defragmentationCount--
      release()
    }
  }

  /** Resolves when no compaction is left to do. */
  compactionDone(): Promise<void> {
    if (!this.state.store.hasCompactionWork) return Promise.resolve()
    return new Promise((resolve) => this.compactionWaiters.push(resolve))
  }

  /** Stops background work at once; nothing is flushed. */
  halt(): void {
    this.isClosed = true
    this.stopCompaction()
    this.watchHub.dispose()
    this.releaseCompactionWaiters()
  }

  /** Makes everything durable and closes. @throws StorageFault */
  async close(): Promise<void> {
    this.halt()
    await this.state.backend.close()
  }

  private openState(backend: Backend): { state: ReplicatedState; applied: AppliedState } {
    backend.onFault(this.options.onFault)
    const { clock, logger } = this.parts
    const state: ReplicatedState = {
      backend,
      store: MvccStore.open(backend, { clock, logger, operations: this.operations }),
      membership: ClusterMembership.open(backend, this.options),
      alarms: AlarmStore.open(backend),
      leases: LeaseStore.open(backend),
      auth: AuthStore.open(backend),
    }
    return { state, applied: readAppliedState(backend) }
  }

  private applierFor(state: ReplicatedState, applied: AppliedState): Applier {
    return new Applier(state, applied, { storesIndexApart: this.options.storesIndexApart })
  }

  private retain(database: OpenDatabase): () => void {
    database.readerCount++
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      database.readerCount--
      if (database.isReplaced) this.closeWhenUnread(database)
    }
  }

  private closeWhenUnread(database: OpenDatabase): void {
    assert(database.readerCount >= 0, 'a database is released once by each reader')
    if (database.readerCount > 0) return
    database.state.backend
      .close()
      .then(() => this.parts.folder.removeReplaced(database.number))
      .catch(this.options.onFault)
  }

  private scheduleCompaction(): void {
    if (this.isClosed || this.compactionTimer !== undefined) return
    if (!this.state.store.hasCompactionWork) return
    this.compactionTimer = this.parts.clock.setTimer(this.options.compactionPauseMs, () => {
      this.compactionTimer = undefined
      this.stepCompaction()
    })
  }

  private stopCompaction(): void {
    this.compactionTimer?.cancel()
    this.compactionTimer = undefined
  }

  private releaseCompactionWaiters(): void {
    const waiters = this.compactionWaiters
    this.compactionWaiters = []
    for (const done of waiters) done()
  }

  /** Takes steps until the time or the number of changes that belong to one turn is used up. */
  private compactFor(durationMs: number, store: MvccStore, batch: BackendBatch): 'done' | 'more' {
    const { clock } = this.parts
    const endMs = clock.monotonicMs() + durationMs
    let left = this.options.compactionBatchRevisionsMax
    for (;;) {
      const count = Math.min(left, compactionStepRevisionsMax)
      const rest = store.runCompactionStep(batch, count)
      left -= count
      if (rest === 'done' || left === 0 || clock.monotonicMs() >= endMs) return rest
    }
  }

  /**
   * One bounded step between two apply turns; its batch carries no applied index, so it can run at any time. Puts wait for
   * its time, and would wait for the database if that had much to write already.
   */
  private stepCompaction(): void {
    try {
      const { backend, store } = this.state
      if (!backend.askForRoom() || store.isHistoryHeld) {
        this.scheduleCompaction()
        return
      }
      const batch = backend.beginBatch()
      failpoint('compactAfterAcquiredBatchTxLock')
      const rest = this.compactFor(compactionSliceMs, store, batch)
      backend.commitBatch(batch)
      failpoint('compactAfterCommitBatch')
      if (rest === 'done') {
        this.parts.logger.info('finished scheduled compaction', {
          compactRevision: store.compactedRevision,
        })
        this.releaseCompactionWaiters()
      }
      this.scheduleCompaction()
    } catch (error) {
      this.options.onFault(error instanceof Error ? error : new Error(String(error)))
    }
  }
}
