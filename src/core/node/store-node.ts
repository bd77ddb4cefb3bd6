/**
 * One store node: builds its parts, starts and stops them in order, and is the door through which requests come in.
 *
 * The way of a put: `put` → `Proposals` (queued, encoded) → `RaftLoop` (proposed with all others of the turn, written to the
 * log, synced, sent) → `StateMachine` and `Applier` (effects, one batch) → the waiter in `Proposals` → the caller. The way of
 * a linearizable range: `range` → `LinearizableReads` (one question to the leader for all that wait) → the local store.
 */
import type {
  AlarmResult,
  ApplyResult,
  CompactResult,
  DeleteRangeResult,
  PutResult,
  RangeResult,
  TxnResult,
} from '../apply/apply-result.ts'
import { isReadOnlyTxn, isSerializableTxn, readTxn, txnDepth } from '../apply/apply-txn.ts'
import type { LoggedRequest } from '../apply/request-envelope.ts'
import { costOfPut, costOfTxn } from '../apply/write-cost.ts'
import { assert } from '../base/assert.ts'
import type { Cancellation } from '../base/cancellation.ts'
import { hexId, noNode, type ClusterId, type NodeId } from '../base/ids.ts'
import { settled, type Settler } from '../base/settler.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Member } from '../membership/member.ts'
import type { MvccStore } from '../mvcc/mvcc-store.ts'
import type { PeerTransportHost } from '../peer/peer-transport.ts'
import type {
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../proto/gen/rpc.ts'
import type { Term } from '../raft/message.ts'
import type { WatchHub } from '../watch/watch-hub.ts'
import type { DatabaseSnapshot } from './database-snapshots.ts'
import { chooseTransferee, transferLeadership } from './leader-transfer.ts'
import type { DowngradeRequests } from './cluster-version.ts'
import type { AuthRequests } from './auth-requests.ts'
import type { Caller } from './caller.ts'
import type { LeaseRequests } from './lease-requests.ts'
import type { MembershipRequests } from './membership-requests.ts'
import type { NodeConfig } from './node-config.ts'
import type { NodeEnvironment, VersionDescription } from './node-environment.ts'
import { buildNode, type NodeParts } from './node-parts.ts'
import { figuresOf, type NodeFigures } from './node-figures.ts'
import { describeNode, describeVersions, type NodeStatus, type StopReason } from './node-status.ts'
import { closeParts, defragmentAtStart, haltParts, publishMember } from './part-lifetimes.ts'
import { PendingRead } from './pending-read.ts'
import { RangeReads } from './range-reads.ts'
import { storeSnapshot } from './snapshot-receipt.ts'
import type { SpaceRefusal } from './space-refusal.ts'

/** Options of every call that may wait. */
export interface CallOptions {
  /** Ends the wait; a write may still happen. */
  readonly cancellation?: Caller | undefined
}

/** Hash over all revisions up to `hashRevision`. */
export interface HashKvResult {
  readonly hash: number
  readonly compactedRevision: number
  readonly hashRevision: number
  readonly revision: number
}

/** A removed member stops this long after it learned so, so that what it still acknowledges gets through. */
const removalDelayMs = 1_000

/** Transactions within transactions. What comes in deeper could not be decoded any more where it is applied. */
const txnDepthMax = 40

/** A leader that stops waits this long for another one; longer would only keep clients from those that run. */
const transferBeforeStopMs = 1_000

/**
 * A running node. Every request rejects with `StoreError` `stopped` once it is not running any more.
 */
export class StoreNode {
  readonly memberId: NodeId
  readonly clusterId: ClusterId
  /** The door for requests about leases. */
  readonly leases: LeaseRequests
  /** The door for requests about users and roles. */
  readonly auth: AuthRequests
  /** The door for requests about members. */
  readonly members: MembershipRequests
  /** The door for requests to lower the cluster's version. */
  readonly downgrades: DowngradeRequests
  /** Resolves once a leader is known and this member has published itself; rejects when it stops before. */
  readonly ready: Promise<void>
  /** Resolves when the node has stopped, whether by itself or asked to. */
  readonly stopped: Promise<StopReason>
  /** Reads of ranges, for callers that need no promise. */
  readonly ranges: RangeReads
  private readonly config: NodeConfig
  private readonly parts: NodeParts
  private readonly releaseDirectory: () => Promise<void>
  private readonly room: SpaceRefusal
  private phase: 'running' | 'stopping' | 'killed' = 'running'
  private ending: Promise<void> | undefined
  private announceStop: (reason: StopReason) => void = () => undefined

  private constructor(parts: NodeParts, config: NodeConfig, releaseDirectory: () => Promise<void>) {
    this.parts = parts
    this.config = config
    this.releaseDirectory = releaseDirectory
    this.ranges = new RangeReads(parts, (request, caller: Caller | undefined) => {
      this.assertRunning()
      this.auth.check(caller?.requester, { kind: 'range', request })
      return this.store
    })
    this.memberId = parts.memberId
    this.room = parts.room
    this.clusterId = parts.clusterId
    this.leases = parts.leases
    this.auth = parts.auth
    this.members = parts.members
    this.downgrades = parts.downgrades
    this.stopped = new Promise((resolve) => {
      this.announceStop = resolve
    })
    this.ready = Promise.race([
      publishMember(parts, config),
      this.stopped.then(() => Promise.reject(new StoreError('stopped'))),
    ])
    // Whoever does not wait for readiness learns of a stop through `stopped`.
    this.ready.catch(() => undefined)
  }

  /**
   * Recovers what the data directory holds, or begins a new one, and starts.
   * @throws StorageFault for damaged data; ConfigurationError, or the transport's error, when it cannot run like this
   */
  static async start(environment: NodeEnvironment, config: NodeConfig): Promise<StoreNode> {
    await environment.fileSystem.makeDirectory(config.dataDirectory)
    const lock = await environment.lockDirectory(config.dataDirectory)
    const late: { node?: StoreNode; fault?: Error } = {}
    try {
      const parts = await buildNode(environment, config, {
        onFault: (fault) => {
          late.fault ??= fault
          late.node?.fail(fault)
        },
        onMembershipChange: () => late.node?.noteMembership(),
      })
      const node = new StoreNode(parts, config, () => lock.release())
      late.node = node
      await node.run()
      if (late.fault !== undefined) node.fail(late.fault)
      return node
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** Feeds watchers; lives as long as the node. */
  get watchHub(): WatchHub {
    return this.parts.machine.watchHub
  }

  /** 0 while none is known. */
  get leaderId(): NodeId {
    return this.parts.leadership.leader
  }

  get raftTerm(): Term {
    return this.parts.raft.term
  }

  get currentRevision(): number {
    return this.store.currentRevision
  }

  get isLearner(): boolean {
    return this.parts.raft.confState.learners.includes(this.memberId)
  }

  put(request: PutRequest, options: CallOptions = {}): Promise<PutResult> {
    return settled((settler) => {
      this.beginPut(request, settler, options.cancellation)
    })
  }

  /** As {@link put}, without a promise. */
  beginPut(
    request: PutRequest,
    settler: Settler<PutResult>,
    cancellation: Caller | undefined,
  ): void {
    const refusal = this.room.refusalFor(costOfPut(request))
    if (refusal !== undefined) settler.fail(refusal)
    else this.beginProposal({ kind: 'put', request }, settler, cancellation)
  }

  deleteRange(request: DeleteRangeRequest, options: CallOptions = {}): Promise<DeleteRangeResult> {
    return settled((settler) => {
      this.beginDeleteRange(request, settler, options.cancellation)
    })
  }

  /** As {@link deleteRange}, without a promise. */
  beginDeleteRange(
    request: DeleteRangeRequest,
    settler: Settler<DeleteRangeResult>,
    cancellation: Caller | undefined,
  ): void {
    this.beginProposal({ kind: 'deleteRange', request }, settler, cancellation)
  }

  /** A transaction of reads alone is served like a range, without the log. */
  txn(request: TxnRequest, options: CallOptions = {}): Promise<TxnResult> {
    return settled((settler) => {
      this.beginTxn(request, settler, options.cancellation)
    })
  }

  /** As {@link txn}, without a promise. */
  beginTxn(
    request: TxnRequest,
    settler: Settler<TxnResult>,
    cancellation: Caller | undefined,
  ): void {
    if (txnDepth(request) > txnDepthMax) {
      settler.fail(new StoreError('tooManyOps'))
      return
    }
    if (isReadOnlyTxn(request)) {
      const read = new PendingRead(() => {
        this.auth.check(cancellation?.requester, { kind: 'txn', request })
        return this.readTxnNow(request)
      }, settler)
      this.beginRead(read, { isSerializable: isSerializableTxn(request), cancellation })
      return
    }
    const refusal = this.room.refusalFor(costOfTxn(request))
    if (refusal !== undefined) settler.fail(refusal)
    else this.beginProposal({ kind: 'txn', request }, settler, cancellation)
  }

  /** `physical` waits until superseded revisions are really gone. */
  async compact(request: CompactionRequest, options: CallOptions = {}): Promise<CompactResult> {
    const result = await this.propose({ kind: 'compact', request }, options)
    assert(result.kind === 'compact', 'a compaction is answered as a compaction')
    if (request.physical) {
      await this.parts.machine.compactionDone()
      this.assertRunning()
    }
    return result
  }

  range(request: RangeRequest, options: CallOptions = {}): Promise<RangeResult> {
    return this.ranges.range(request, options.cancellation)
  }

  /** Waits until this node has applied everything committed before the call. */
  confirmReads(options: CallOptions = {}): Promise<void> {
    return settled((settler) => {
      this.beginConfirm(settler, options.cancellation)
    })
  }

  /** As {@link confirmReads}, without a promise. */
  beginConfirm(settler: Settler<void>, cancellation: Cancellation | undefined): void {
    this.parts.reads.join(settler, cancellation)
  }

  async alarm(request: AlarmRequest, options: CallOptions = {}): Promise<AlarmResult> {
    const result = await this.propose({ kind: 'alarm', request }, options)
    assert(result.kind === 'alarm', 'an alarm request is answered as one')
    return result
  }

  /** Sorted by id. */
  async listMembers(
    options: CallOptions & { readonly isLinearizable: boolean },
  ): Promise<readonly Member[]> {
    if (options.isLinearizable) await this.confirmReads(options)
    this.assertRunning()
    return this.parts.machine.state.membership.list()
  }

  /** @param revision  0: the current one. @throws StoreError `compacted`, `futureRevision` */
  async hashKv(revision: number): Promise<HashKvResult> {
    this.assertRunning()
    const hash = await this.parts.machine.hashAt(revision)
    return { ...hash, revision: this.currentRevision }
  }

  /**
   * The whole state as an etcd database file, not older than the call; to be released.
   * @throws StoreError `stopped`; the system's error where the file cannot be written
   */
  async takeSnapshot(): Promise<DatabaseSnapshot> {
    this.assertRunning()
    return this.parts.databaseSnapshots.take()
  }

  /**
   * Gives room that removed records left behind back to the system; of this member alone, while it serves.
   * @throws StoreError `stopped`; Error when the copy cannot be made, which changes nothing
   */
  async defragment(): Promise<void> {
    this.assertRunning()
    await this.parts.machine.defragment()
  }

  /** Hash over everything replicated, 32 bits. @throws StoreError `stopped` */
  async hashAll(): Promise<{ readonly hash: number; readonly revision: number }> {
    this.assertRunning()
    const hash = await this.parts.machine.hashAll()
    return { hash, revision: this.currentRevision }
  }

  /** As `/version` tells them. */
  describeVersions(): VersionDescription {
    return describeVersions(this.parts.machine, this.config.reportedVersion)
  }

  /** @throws StoreError `stopped` */
  status(): NodeStatus {
    this.assertRunning()
    return describeNode(this.parts, this.config.reportedVersion)
  }

  /** What was counted so far. @throws StoreError `stopped` */
  figures(): NodeFigures {
    this.assertRunning()
    return figuresOf(this.parts, {
      version: this.config.reportedVersion,
      rangeCount: this.ranges.rangeCount,
    })
  }

  /**
   * Hands leadership to a voter; 0 lets the node choose the one connected longest.
   * @throws StoreError `notLeader`, `badLeaderTransferee`, `leaderTransferTimeout`
   */
  async transferLeadership(target: NodeId, options: CallOptions = {}): Promise<void> {
    this.assertRunning()
    const { raft, peers } = this.parts
    const chosen =
      target === noNode ? chooseTransferee(raft, peers.connectedLongestFirst()) : target
    const timeoutMs = this.config.requestTimeoutMs
    await transferLeadership(this.parts, chosen, { ...options, timeoutMs })
  }

  /** Graceful: hands over leadership, finishes what is being applied, makes everything durable, closes. */
  stop(): Promise<void> {
    return this.end({ kind: 'stopped' })
  }

  /** For the simulator: everything ends at once, as if the power had failed. No effect follows, nothing is answered. */
  kill(): void {
    this.phase = 'killed'
    haltParts(this.parts)
  }

  private get store(): MvccStore {
    return this.parts.machine.state.store
  }

  private async run(): Promise<void> {
    const { transport, loop, firstElection } = this.parts
    try {
      await defragmentAtStart(this.parts, this.config)
      if (this.config.corruptionChecks.checksAtStart) await this.parts.corruption.compareAtStart()
      await transport.start(this.transportHost())
    } catch (error) {
      await closeParts(this.parts)
      throw error
    }
    loop.start()
    if (this.config.advancesElectionTicks) firstElection.start()
    this.parts.autoCompaction.start()
    this.parts.versions.start()
    this.parts.corruption.start()
    this.noteMembership()
  }

  private transportHost(): PeerTransportHost {
    const { loop, raft, sender, machine } = this.parts
    return {
      receive: (message) => {
        loop.receive(message)
      },
      receiveSnapshot: async (message, chunks) => {
        await storeSnapshot(this.parts, message, chunks)
        if (this.phase === 'running') loop.receive(message)
      },
      reportUnreachable: (peer) => {
        if (this.phase !== 'running') return
        raft.reportUnreachable(peer)
        loop.wake()
      },
      reportSnapshot: (peer, outcome) => {
        if (this.phase === 'killed') return
        sender.finish(peer, outcome)
        raft.reportSnapshot(peer, outcome)
        loop.wake()
      },
      isRemoved: (peer) => machine.state.membership.isRemoved(peer),
      reportSelfRemoved: () => {
        if (this.phase === 'running') void this.end({ kind: 'removed' })
      },
    }
  }

  private propose(logged: LoggedRequest, options: CallOptions): Promise<ApplyResult> {
    return settled((settler) => {
      this.beginProposal(logged, settler, options.cancellation)
    })
  }

  /** The applier answers each kind of request with its own kind of result: that is what the settler takes. */
  private beginProposal<Result extends ApplyResult>(
    logged: LoggedRequest,
    settler: Settler<Result>,
    cancellation: Caller | undefined,
  ): void {
    const { raft, machine, proposals } = this.parts
    if (raft.commit - machine.appliedIndex > this.config.applyLagEntriesMax) {
      settler.fail(new StoreError('tooManyRequests'))
      return
    }
    proposals.begin(logged, settler, cancellation)
  }

  private beginRead(
    read: Settler<void>,
    options: CallOptions & { readonly isSerializable: boolean },
  ): void {
    if (options.isSerializable || this.ranges.isConfirmed()) read.succeed()
    else this.beginConfirm(read, options.cancellation)
  }

  private readTxnNow(request: TxnRequest): TxnResult {
    this.assertRunning()
    const { currentRevision: current, compactedRevision: compacted } = this.store
    return readTxn(this.store, request, { current, compacted })
  }

  private assertRunning(): void {
    if (this.phase !== 'running') throw new StoreError('stopped')
  }

  /** A member that was removed stops by itself. */
  private noteMembership(): void {
    const { machine, clock, logger } = this.parts
    if (!machine.state.membership.isRemoved(this.memberId)) return
    logger.warn('the member has been permanently removed from the cluster', {
      member: hexId(this.memberId),
    })
    clock.setTimer(removalDelayMs, () => {
      if (this.phase === 'running') void this.end({ kind: 'removed' })
    })
  }

  /** A bug, or data that cannot be relied on: nothing is served any more. */
  private fail(fault: Error): void {
    if (this.phase === 'killed') return
    this.parts.logger.error('the node stops: its state can no longer be relied on', {
      fault: fault.message,
      kind: fault.name,
    })
    void this.end({ kind: 'fault', error: fault })
  }

  private end(reason: StopReason): Promise<void> {
    this.ending ??= this.endOnce(reason)
    return this.ending
  }

  private async endOnce(reason: StopReason): Promise<void> {
    const { loop, proposals, reads, firstElection, logger } = this.parts
    logger.info('closing etcd server', { reason: reason.kind })
    firstElection.stop()
    if (reason.kind === 'stopped') await this.handOver()
    this.phase = 'stopping'
    proposals.stop()
    reads.stop()
    await loop.finish()
    await closeParts(this.parts)
    await this.releaseDirectory()
    logger.info('closed etcd server', {})
    this.announceStop(reason)
  }

  private async handOver(): Promise<void> {
    const { raft, peers, logger } = this.parts
    if (raft.leader !== raft.id || raft.confState.voters.length < 2) return
    const target = chooseTransferee(raft, peers.connectedLongestFirst())
    if (target === noNode) return
    try {
      await transferLeadership(this.parts, target, { timeoutMs: transferBeforeStopMs })
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      logger.warn('nobody took over leadership before the stop', { target: hexId(target) })
    }
  }
}
