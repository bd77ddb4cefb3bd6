/**
 * The driver: gives Raft its messages and ticks, and carries out what it wants done, in the one safe order.
 *
 * The problem: nothing may leave this node, neither a message nor an answer, that relies on bytes which a power cut could
 * still take away; and yet a sync must not be paid for each request alone. The plain idea: two activities that never
 * overlap themselves. A *turn* runs when input has arrived: it steps the messages, then the ticks, then proposes all that
 * was queued. The *drive* takes one Ready after the other: send what vouches for nothing, write the log and sync once,
 * send what vouches for it, apply what is committed, advance. While the drive waits for the disk, turns go on, and what
 * they propose gathers for the next Ready: that is the group commit.
 *
 * Messages come before ticks, so that a node that was paused hears its leader before it judges it dead.
 */
import { failpoint, failpointPause } from '../base/failpoints.ts'
import type { ApplyHost, ApplyTurn, EntryOutcome } from '../apply/applier.ts'
import type { Clock } from '../base/clock.ts'
import { hexId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { PeerTransport } from '../peer/peer-transport.ts'
import type { MemoryLogStorage } from '../raft/memory-log-storage.ts'
import type { Entry, Message } from '../raft/message.ts'
import type { RaftNode } from '../raft/raft-node.ts'
import type { Ready } from '../raft/ready.ts'
import type { WriteAheadLog } from '../wal/write-ahead-log.ts'
import type { ApplyPace } from './apply-pace.ts'
import { CommitNotices } from './commit-notices.ts'
import { GroupGathering } from './group-gathering.ts'
import type { HeartbeatPace } from './heartbeat-pace.ts'
import type { Leadership } from './leadership.ts'
import type { AuthRequests } from './auth-requests.ts'
import type { LeaseExpiry } from './lease-expiry.ts'
import type { LinearizableReads } from './linearizable-read.ts'
import type { PeerDirectory } from './peer-directory.ts'
import type { Proposals } from './proposals.ts'
import type { SnapshotPolicy } from './snapshot-policy.ts'
import type { SnapshotSender } from './snapshot-sender.ts'
import type { StateMachine } from './state-machine.ts'
import { TickSource } from './tick-source.ts'

/** Messages that may wait for the next turn. Raft bears the loss of any of them. */
const inboxCountMax = 16_384

/** Entries applied in one go; between two such runs messages and ticks are looked after. */
const applyRunEntriesMax = 1_000

/** Missed ticks that a node without the lead makes up for: it must first read what waits in its sockets. */
const followerCatchUpTicksMax = 2

/** So few entries that nothing is gained by writing them beside other work: whoever sent them waits for just this. */
const smallEntryCountMax = 64

/** A node whose last tick is longer ago was paused; etcd's figure. */
const lateTicksMin = 3

/** How often files that are not needed any more are removed; etcd's figure. */
const purgeIntervalMs = 30_000

export interface RaftLoopParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly raft: RaftNode
  readonly storage: MemoryLogStorage
  readonly wal: WriteAheadLog
  readonly transport: PeerTransport
  readonly machine: StateMachine
  readonly proposals: Proposals
  readonly reads: LinearizableReads
  readonly leases: LeaseExpiry
  readonly auth: AuthRequests
  readonly leadership: Leadership
  readonly peers: PeerDirectory
  readonly snapshots: SnapshotPolicy
  readonly sender: SnapshotSender
  readonly applyPace: ApplyPace
  readonly heartbeatPace: HeartbeatPace
}

export interface RaftLoopOptions {
  readonly heartbeatMs: number
  readonly electionTicks: number
  /** Plants the bug M1. */
  readonly acknowledgesBeforeSync: boolean
  /** The node must stop: a bug, or a disk that cannot be relied on. */
  readonly onFault: (fault: Error) => void
  /** The members changed, or their attributes. */
  readonly onMembershipChange: () => void
  /** This node leads, and everything before its term has been applied. */
  readonly onLeading: () => void
}

/** Drives one Raft node. */
export class RaftLoop {
  private readonly parts: RaftLoopParts
  private readonly options: RaftLoopOptions
  private readonly ticks: TickSource
  private readonly notices: CommitNotices
  private readonly gathering: GroupGathering
  private readonly applyHost: ApplyHost
  private inbox: Message[] = []
  private dueTicks = 0
  private isTurnScheduled = false
  private isDriving = false
  private isHalted = false
  private nextPurgeMs: number
  /** Entries applied since the database last had room for more. */
  private appliedWithoutRoomCount = 0
  private lastTickMs: number
  /** Called when the present drive ends; see {@link finish}. */
  private readonly idleListeners: (() => void)[] = []

  constructor(parts: RaftLoopParts, options: RaftLoopOptions) {
    this.parts = parts
    this.options = options
    this.nextPurgeMs = parts.clock.monotonicMs() + purgeIntervalMs
    this.lastTickMs = parts.clock.monotonicMs()
    this.ticks = new TickSource(parts.clock, options.heartbeatMs, (count) => {
      this.addTicks(count)
    })
    this.notices = new CommitNotices(parts.clock, parts.raft, this.wake)
    this.gathering = new GroupGathering(parts.clock)
    this.applyHost = {
      applyConfChange: (change) => parts.raft.applyConfChange(change),
      isAwaited: (id) => parts.proposals.isAwaited(id),
      findKnownTxn: (id, data) => parts.proposals.findKnownTxn(id, data),
      noteApplied: (logged, hasSucceeded) => {
        parts.applyPace.noteApplied(logged, hasSucceeded)
      },
    }
  }

  start(): void {
    this.ticks.start()
    this.wake()
  }

  /** A message from a peer; dropped when too many wait. */
  receive(message: Message): void {
    if (message.kind === 'heartbeat' && failpoint('raftDropHeartbeat') !== undefined) return
    if (this.inbox.length >= inboxCountMax) return
    this.inbox.push(message)
    this.wake()
  }

  /** Lets so many ticks pass at the next turn, up to what the role can bear. */
  addTicks(count: number): void {
    this.lastTickMs = this.parts.clock.monotonicMs()
    this.dueTicks += count
    this.wake()
  }

  /** Whether ticks are so late that somebody else may lead by now. Source: etcd #15247. */
  get isLate(): boolean {
    return (
      this.parts.clock.monotonicMs() - this.lastTickMs > lateTicksMin * this.options.heartbeatMs
    )
  }

  /** Lets so many ticks pass at once: at start, when nobody can be leading yet. */
  advanceElection(tickCount: number): void {
    if (this.isHalted) return
    for (let passed = 0; passed < tickCount; passed++) this.parts.raft.tick()
    this.wake()
  }

  /** Campaigns at once; for a node that is the only voter. */
  campaign(): void {
    if (this.isHalted) return
    this.parts.raft.campaign()
    this.wake()
  }

  /** Schedules a turn; any number of calls make one. */
  readonly wake = (): void => {
    if (this.isTurnScheduled || this.isHalted) return
    this.isTurnScheduled = true
    this.parts.clock.nextTurn(() => {
      this.isTurnScheduled = false
      this.turn()
    })
  }

  /** Ends at once: nothing is sent, written or applied any more, though a write under way may still reach the disk. */
  halt(): void {
    this.isHalted = true
    this.ticks.stop()
    this.notices.stop()
    this.inbox = []
  }

  /** Takes nothing new and resolves when the Ready in hand is done. */
  finish(): Promise<void> {
    this.halt()
    if (!this.isDriving) return Promise.resolve()
    return new Promise((resolve) => this.idleListeners.push(resolve))
  }

  private turn(): void {
    if (this.isHalted) return
    try {
      this.takeInput()
      if (this.isDriving) return
      if (!this.parts.raft.hasReady() && !this.parts.snapshots.hasWork) return
    } catch (error) {
      this.fail(error)
      return
    }
    this.isDriving = true
    void this.driveToEnd()
  }

  private async driveToEnd(): Promise<void> {
    try {
      await this.drive()
    } catch (error) {
      this.fail(error)
    }
    this.isDriving = false
    for (const listener of this.idleListeners.splice(0)) listener()
    this.wakeForRest()
  }

  /** Input that came during the last steps of a drive must not wait for the next message. */
  private wakeForRest(): void {
    if (this.isHalted) return
    if (this.parts.raft.hasReady() || this.parts.snapshots.hasWork) this.wake()
  }

  private takeInput(): void {
    const { raft, proposals, reads } = this.parts
    const messages = this.inbox
    this.inbox = []
    for (const message of messages) raft.step(message)
    const tickCount = this.dueTicks
    if (tickCount > 0) this.passTicks(tickCount)
    if (this.gathering.waitsWith(proposals.queuedCount)) this.wake()
    else proposals.flush((data) => raft.propose(data))
    proposals.flushChanges((data) => raft.proposeConfChange({ kind: 'confChange', data }))
    reads.pump()
  }

  private passTicks(tickCount: number): void {
    const { raft, proposals, reads, snapshots, clock } = this.parts
    this.dueTicks = 0
    const limit = raft.role === 'leader' ? this.options.electionTicks - 1 : followerCatchUpTicksMax
    for (let passed = 0; passed < Math.min(tickCount, limit); passed++) raft.tick()
    if (tickCount > limit) {
      this.parts.logger.warn('ticks were missed: the process was paused or overloaded', {
        missedTicks: tickCount - limit,
      })
    }
    proposals.sweep()
    reads.sweep()
    if (clock.monotonicMs() < this.nextPurgeMs) return
    this.nextPurgeMs = clock.monotonicMs() + purgeIntervalMs
    snapshots.requestPurge()
  }

  /** Takes one Ready after the other until there is nothing to do. */
  private async drive(): Promise<void> {
    const { raft, snapshots } = this.parts
    while (!this.isHalted) {
      if (snapshots.hasWork) await snapshots.record()
      if (this.stopsHere()) return
      this.takeInput()
      if (!raft.hasReady()) return
      const ready = raft.ready()
      this.begin(ready)
      if (!this.carryOutAtOnce(ready)) await this.carryOut(ready)
    }
  }

  /** Read after an await, when the compiler still believes what was true before it. */
  private stopsHere(): boolean {
    return this.isHalted
  }

  /** What need not wait for the disk. */
  private begin(ready: Ready): void {
    if (ready.softState !== undefined) this.noteSoftState(ready)
    this.send(ready.messages)
    this.parts.reads.takeReadStates(ready.readStates)
  }

  /** Does all that a small Ready asks for in this turn, if the disk lets it. False: nothing was done. */
  private carryOutAtOnce(ready: Ready): boolean {
    if (!this.isSmall(ready)) return false
    const { raft, wal, storage, proposals } = this.parts
    const { hardState, entries, committedEntries, mustSync } = ready
    failpoint('raftBeforeSave')
    if (!wal.saveDirect(hardState, entries, { mustSync })) return false
    failpoint('raftAfterSave')
    if (hardState !== undefined) storage.setHardState(hardState)
    storage.append(entries)
    this.send(ready.messagesAfterPersist)
    const deferred: EntryOutcome[] = []
    const { settledCount } = proposals
    if (committedEntries.length > 0) this.applyRun(committedEntries, deferred)
    failpoint('raftBeforeAdvance')
    raft.advance()
    proposals.settle(deferred)
    this.afterApply()
    this.noteAnswered(proposals.settledCount - settledCount)
    return true
  }

  /** The thread was held up: only in the next turn is known who had asked meanwhile. */
  private noteAnswered(count: number): void {
    if (!this.gathering.wantsToKnow(count)) return
    this.parts.clock.nextTurn(() => {
      this.gathering.noteAnswered(count, this.parts.proposals.queuedCount)
    })
  }

  /** Whether nothing is gained by writing the entries of a Ready beside other work. */
  private isSmall(ready: Ready): boolean {
    if (ready.snapshot !== undefined || this.options.acknowledgesBeforeSync) return false
    const { entries, committedEntries } = ready
    // Answers to what is durable already need not wait for the disk.
    const isOverlapping = entries.length > 0 && committedEntries.length > 0
    if (isOverlapping && this.parts.raft.role === 'leader') return false
    if (entries.length + committedEntries.length > smallEntryCountMax) return false
    return this.appliedWithoutRoomCount + committedEntries.length <= applyRunEntriesMax
  }

  /**
   * What is committed and was durable before this Ready is applied while the disk works on the rest; an entry that comes
   * with its own commit waits for its sync.
   */
  private async carryOut(ready: Ready): Promise<void> {
    const { raft, proposals } = this.parts
    const durableCount = durableCountOf(ready)
    // Both are seen to their end, so that a failure of one never leaves the other under way.
    const [written, applied] = await Promise.allSettled([
      this.persistAndSend(ready),
      this.apply(ready.committedEntries.slice(0, durableCount)),
    ])
    if (applied.status === 'rejected') throw applied.reason
    if (written.status === 'rejected') throw written.reason
    const deferred = applied.value
    if (durableCount < ready.committedEntries.length) {
      deferred.push(...(await this.apply(ready.committedEntries.slice(durableCount))))
    }
    if (this.stopsHere()) return
    failpoint('raftBeforeAdvance')
    raft.advance()
    // Whoever waits for a membership change may ask for the next one, which Raft takes only from here on.
    proposals.settle(deferred)
    this.afterApply()
  }

  private async persistAndSend(ready: Ready): Promise<void> {
    if (this.options.acknowledgesBeforeSync) this.send(ready.messagesAfterPersist)
    await this.persist(ready)
    if (this.stopsHere() || this.options.acknowledgesBeforeSync) return
    this.send(ready.messagesAfterPersist)
  }

  private noteSoftState(ready: Ready): void {
    const { leadership, logger, raft } = this.parts
    const state = ready.softState
    if (state === undefined) return
    const isOther = state.leader !== leadership.leader || state.role !== leadership.role
    leadership.update(state)
    this.parts.heartbeatPace.reset()
    if (state.role !== 'leader') this.parts.leases.demote()
    if (isOther) {
      logger.info('raft role changed', {
        role: state.role,
        leader: hexId(state.leader),
        term: raft.term,
      })
    }
  }

  private send(messages: readonly Message[]): void {
    if (messages.length === 0) return
    const { transport, sender, raft } = this.parts
    if (raft.role === 'leader') this.parts.heartbeatPace.note(messages)
    failpoint(raft.role === 'leader' ? 'raftBeforeLeaderSend' : 'raftBeforeFollowerSend')
    if (messages.every((message) => message.kind !== 'snapshot')) {
      transport.send(messages)
      return
    }
    transport.send(messages.filter((message) => message.kind !== 'snapshot'))
    for (const message of messages) {
      if (message.kind !== 'snapshot') continue
      if (sender.send(message, raft.confState) === 'refused')
        raft.reportSnapshot(message.to, 'failed')
    }
  }

  /** Makes a Ready durable; see ready.ts, step 2. */
  private async persist(ready: Ready): Promise<void> {
    const { wal, storage, machine, snapshots, peers } = this.parts
    const { snapshot, hardState, entries } = ready
    if (snapshot !== undefined) {
      await failpointPause('raftBeforeSaveSnap')
      await snapshots.recordReceived(snapshot)
      await failpointPause('raftAfterSaveSnap')
    }
    if (hardState !== undefined || entries.length > 0) {
      // The log record of a snapshot counts only together with a hard state that covers it.
      failpoint('raftBeforeSave')
      await wal.save(hardState, entries, { mustSync: ready.mustSync || snapshot !== undefined })
      failpoint('raftAfterSave')
    }
    if (this.stopsHere()) return
    if (snapshot !== undefined) {
      await failpointPause('raftBeforeApplySnap')
      storage.applySnapshot(snapshot)
      const { index } = snapshot.metadata
      await machine.install(index)
      snapshots.noteInstalled(index)
      await failpointPause('raftAfterApplySnap')
      this.parts.logger.info('applied snapshot', { index, term: snapshot.metadata.term })
      peers.follow(machine.state.membership.list())
      this.options.onMembershipChange()
    }
    if (hardState !== undefined) storage.setHardState(hardState)
    storage.append(entries)
  }

  /** Applies in bounded runs. Returns answers that must wait until Raft was advanced. */
  private async apply(entries: readonly Entry[]): Promise<EntryOutcome[]> {
    const { machine } = this.parts
    const deferred: EntryOutcome[] = []
    for (let start = 0; start < entries.length; start += applyRunEntriesMax) {
      await machine.state.backend.waitForRoom()
      this.appliedWithoutRoomCount = 0
      if (start > 0) await this.nextTurn()
      if (this.stopsHere()) return deferred
      this.applyRun(entries.slice(start, start + applyRunEntriesMax), deferred)
    }
    return deferred
  }

  /** Applies a run at once; answers that must wait are added to `deferred`. */
  private applyRun(run: readonly Entry[], deferred: EntryOutcome[]): void {
    const { machine, proposals } = this.parts
    this.appliedWithoutRoomCount += run.length
    this.parts.applyPace.begin()
    const turn = machine.apply(run, this.applyHost)
    if (turn.isMembershipChanged) deferred.push(...turn.outcomes)
    else proposals.settle(turn.outcomes)
    this.noteApplied(turn)
  }

  private noteApplied(turn: ApplyTurn): void {
    const { reads, peers, machine, leases, auth } = this.parts
    if (turn.hasTermStart) {
      reads.noteTermStart()
      // Everything granted before is known now.
      if (this.parts.raft.role === 'leader') {
        leases.promote()
        this.options.onLeading()
      }
    }
    leases.note(turn.leaseChanges)
    if (turn.tokenChanges.length > 0) auth.note(turn.tokenChanges)
    reads.releaseApplied()
    if (!turn.isMembershipChanged) return
    peers.follow(machine.state.membership.list())
    this.options.onMembershipChange()
  }

  private afterApply(): void {
    const { machine, snapshots, sender, raft } = this.parts
    const { appliedIndex, appliedTerm, state } = machine
    this.notices.note()
    const { confState } = raft
    const isAlone = confState.voters.length + confState.learners.length <= 1
    snapshots.compactMemory(appliedIndex, sender.holdsLog, isAlone)
    snapshots.consider({ index: appliedIndex, term: appliedTerm, confState }, () =>
      state.backend.untilDurable(),
    )
  }

  private nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.parts.clock.nextTurn(resolve)
    })
  }

  private fail(error: unknown): void {
    this.halt()
    this.options.onFault(error instanceof Error ? error : new Error(String(error)))
  }
}

/** How many of the committed entries are in the log already, ahead of those that this Ready brings. */
function durableCountOf(ready: Ready): number {
  // A snapshot replaces the state that entries would be applied to.
  if (ready.snapshot !== undefined) return 0
  const [firstNew] = ready.entries
  if (firstNew === undefined) return ready.committedEntries.length
  return ready.committedEntries.filter((entry) => entry.index < firstNew.index).length
}
