/**
 * Raft as a pure state machine.
 *
 * The problem: several nodes keep one log in the same order, though any of them may stop, and messages may be lost,
 * repeated or late. The plain idea: elect a leader, let it alone append, and call an entry committed when a majority
 * holds it on disk. Every majority overlaps with every other, so that whoever is elected next knows what was committed.
 * The rules are those of the Raft paper and thesis (Ongaro and Ousterhout), in the form that etcd's library gave them.
 *
 * This class has no clock, disk or network. Time comes in as `tick`, messages as `step`; what is to be done leaves as
 * `ready`. The host's duties, one Ready at a time:
 *
 *     loop:  node.tick() from time to time; node.step(message) for each message; node.propose(...), node.readIndex(...)
 *            if node.hasReady():
 *              ready = node.ready()
 *              send ready.messages                                    (they vouch for nothing)
 *              write snapshot, entries and hardState; sync if mustSync
 *              put the same into the LogStorage that this node reads  (after the sync, before advance)
 *              send ready.messagesAfterPersist                        (they vouch for what was written)
 *              apply committedEntries; for each membership change among them call applyConfChange
 *              node.advance()
 *
 * Between `ready` and `advance` everything else may be called; it shows in the next Ready. An example with three nodes:
 * 1 leads term 2 and is asked to propose x. Its Ready says: persist (2:5 x), send it to 2 and 3. Node 2's Ready says:
 * persist (2:5 x), afterwards acknowledge 5 to node 1. Node 1, told by 2 and, at `advance`, by its own disk, commits 5 and
 * hands it out to apply.
 *
 * Left out: decoding membership changes (the host does and calls `applyConfChange`), and writing to disk while applying
 * runs behind (Readys are taken one at a time, and proposals gather meanwhile).
 */
import { assert } from '../base/assert.ts'
import { noNode } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import { changeConfState } from './conf-change.ts'
import { becomeFollower } from './election.ts'
import { continueAsLeader, leaveJointWhenApplied } from './leader.ts'
import type {
  ConfChange,
  ConfState,
  Entry,
  EntryKind,
  HardState,
  LogIndex,
  Message,
  MessageKind,
  Term,
} from './message.ts'
import { checkRaftConfig } from './raft-config.ts'
import type { RaftConfig } from './raft-config.ts'
import { readIndexAlone } from './read-index.ts'
import { adoptConfState, createRaftState, hardStateOf } from './raft-state.ts'
import type { ProposalOutcome, RaftState } from './raft-state.ts'
import type { PeerProgress, RaftRole, RaftStatus, Ready, SoftState } from './ready.ts'
import { flushBroadcast, reduceUncommitted } from './replication.ts'
import { propose, requestRead, step, tick } from './step.ts'

export type { ProposalOutcome } from './raft-state.ts'

/** What became of a message from the network. Refused ones left no trace. */
export type StepOutcome = 'taken' | 'refusedLocalKind' | 'refusedUnknownPeer'

/** A member of a new cluster; `data` is the encoded change that adds it, the same bytes on every member. */
export interface BootstrapPeer {
  readonly id: NodeId
  readonly data: Uint8Array
}

/** What `advance` has to do for the Ready that was taken last. */
interface TakenReady {
  readonly committedEntries: readonly Entry[]
  /** 0: none. */
  readonly snapshotIndex: LogIndex
  /** Own votes and acknowledgements, which count from then on. */
  readonly messagesToSelf: readonly Message[]
  /** The term at that moment. What was written under an older one is not taken for what is in the log now. */
  readonly term: Term
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
  readonly hasUnstable: boolean
}

/** Kinds that only the host itself may utter. */
const localKinds: ReadonlySet<MessageKind> = new Set<MessageKind>([
  'campaign',
  'forgetLeader',
  'unreachable',
  'snapshotStatus',
])

/** Kinds that only a member can be asked for, hence that are refused from a stranger. */
const responseKinds: ReadonlySet<MessageKind> = new Set<MessageKind>([
  'appendResponse',
  'heartbeatResponse',
  'voteResponse',
  'preVoteResponse',
])

/** Kinds that travel without a term because they are taken as if they were made where they arrive. */
const termlessKinds: ReadonlySet<MessageKind> = new Set<MessageKind>(['propose', 'readIndex'])

/** One node's part in the consensus. One owner, its driver, makes all calls. */
export class RaftNode {
  readonly id: NodeId
  private readonly state: RaftState
  private previousSoftState: SoftState
  private previousHardState: HardState
  /** Set from `ready` to `advance`. */
  private taken: TakenReady | undefined

  /**
   * Starts from what the storage holds.
   *
   * @throws RangeError with all problems, when the options contradict each other
   */
  constructor(config: RaftConfig) {
    checkRaftConfig(config)
    this.id = config.id
    this.state = createRaftState(config)
    this.previousSoftState = this.softState()
    // A stored commit index may be raised by `applied`; then the new value shows in the first Ready.
    this.previousHardState = config.storage.initialState().hardState ?? {
      term: 0,
      vote: noNode,
      commit: 0,
    }
  }

  get role(): RaftRole {
    return this.state.role
  }
  /** The leader of the present term as far as known; none otherwise. */
  get leader(): NodeId {
    return this.state.leader
  }
  get term(): Term {
    return this.state.term
  }
  get commit(): LogIndex {
    return this.state.log.committed
  }
  get applied(): LogIndex {
    return this.state.log.applied
  }
  get lastIndex(): LogIndex {
    return this.state.log.lastIndex()
  }
  /** The configuration in force, as of the last change applied. */
  get confState(): ConfState {
    return this.state.confState
  }
  /** Whom a leadership transfer under way is for; proposals are dropped meanwhile. */
  get transferee(): NodeId {
    return this.state.transferee
  }

  /**
   * Begins a new cluster, on an empty log, with the same peers in the same order on every first member.
   *
   * Each peer becomes a committed entry of term 1 and a voter at once, so that the node can campaign. The entries are
   * handed out like all others; applying their changes again alters nothing.
   */
  bootstrap(peers: readonly BootstrapPeer[]): void {
    const { state } = this
    assert(state.log.lastIndex() === 0, 'only an empty log can begin a cluster')
    assert(peers.length > 0, 'a cluster begins with at least one member')
    becomeFollower(state, 1, noNode)
    peers.forEach(({ data }, position) => {
      state.log.push({ index: position + 1, term: 1, kind: 'confChange', data })
    })
    state.log.commitTo(peers.length)
    for (const { id } of peers) {
      const change = { transition: 'auto', changes: [{ action: 'addVoter', node: id }] } as const
      adoptConfState(state, changeConfState(state.confState, change))
    }
  }

  /** Lets one tick pass: heartbeats, election timeouts. */
  tick(): void {
    tick(this.state)
  }

  /** Takes a message from the network; the transport has checked cluster and receiver. */
  step(message: Message): StepOutcome {
    const { kind, from, term } = message
    // Only the calls below may speak for the host, and a message without a term would pass for one of theirs.
    if (localKinds.has(kind)) return 'refusedLocalKind'
    if (term === 0 && !termlessKinds.has(kind)) return 'refusedLocalKind'
    if (responseKinds.has(kind) && (from === this.id || !this.state.progress.has(from))) {
      return 'refusedUnknownPeer'
    }
    step(this.state, message)
    return 'taken'
  }

  /** Proposes entries, all or none of them; see {@link ProposalOutcome}. The arrays are kept: do not write to them. */
  propose(data: readonly Uint8Array[]): ProposalOutcome {
    if (data.length === 0) return 'accepted'
    return propose(
      this.state,
      data.map((bytes) => ({ kind: 'normal', data: bytes })),
    )
  }

  /**
   * Proposes a membership change, encoded by the host. Empty data of kind `confChangeV2` means: leave the joint
   * configuration.
   */
  proposeConfChange(change: {
    readonly kind: Exclude<EntryKind, 'normal'>
    readonly data: Uint8Array
  }): ProposalOutcome {
    return propose(this.state, [change])
  }

  /**
   * Asks for an index that a linearizable read may rely on. The answer comes as a `ReadState` with the same context, or
   * never: after a leader change or a lost message the caller asks again, with a fresh context.
   */
  readIndex(context: Uint8Array): 'accepted' | 'noLeader' {
    const { id, state } = this
    return requestRead(state, { kind: 'readIndex', from: id, to: id, term: 0, context })
  }

  /** What {@link readIndex} would answer, when this node can tell alone; undefined: others have to be asked. */
  readIndexAlone(): LogIndex | undefined {
    return readIndexAlone(this.state)
  }

  /**
   * Whether this node leads and has not told every peer that everything up to `index` is committed. Only where notices
   * are held (`holdsCommitNotices`) does that last.
   */
  owesCommit(index: LogIndex): boolean {
    const { state } = this
    if (state.role !== 'leader') return false
    for (const [id, peer] of state.progress) {
      if (id !== state.id && peer.needsCommit(index)) return true
    }
    return false
  }

  /** Has every peer told at the next Ready what is committed. */
  tellCommit(): void {
    if (this.state.role !== 'leader') return
    this.state.isCommitNoticeDue = true
    this.state.isBroadcastDue = true
  }

  /** Wishes that `transferee` led. Has no effect where it cannot; watch who leads. */
  transferLeader(transferee: NodeId): void {
    step(this.state, { kind: 'transferLeader', from: transferee, to: this.id, term: 0 })
  }

  /** Campaigns now, if this node may. */
  campaign(): void {
    step(this.state, { kind: 'campaign', from: this.id, to: this.id, term: 0 })
  }

  /** A follower stops believing in its leader and may vote for another. Ignored under lease reads. */
  forgetLeader(): void {
    step(this.state, { kind: 'forgetLeader', from: this.id, to: this.id, term: 0 })
  }

  /** The transport could not deliver to `peer`. */
  reportUnreachable(peer: NodeId): void {
    step(this.state, { kind: 'unreachable', from: peer, to: this.id, term: 0 })
  }

  /** The transport delivered a snapshot to `peer`, or gave up. Must be called for every snapshot that was sent. */
  reportSnapshot(peer: NodeId, outcome: 'delivered' | 'failed'): void {
    const isFailed = outcome === 'failed'
    step(this.state, { kind: 'snapshotStatus', from: peer, to: this.id, term: 0, isFailed })
  }

  /**
   * Makes a membership change take effect. Called while its entry is applied, on every node; a refused change is applied
   * as one for node 0.
   *
   * A leader that is removed should go on for a while (`stepsDownOnRemoval` off, its process stopped some election
   * timeouts later), or hand over first: the others may not know yet that its removal is committed, hence need its vote.
   *
   * @returns the configuration to store together with the entry's effects
   */
  applyConfChange(change: ConfChange): ConfState {
    const { state } = this
    const next = changeConfState(state.confState, change)
    if (next !== state.confState) {
      adoptConfState(state, next)
      if (state.role === 'leader') continueAsLeader(state)
      // Members act on the change of their membership, and who is removed may not be reached much longer.
      if (state.config.holdsCommitNotices === true) this.tellCommit()
    }
    return next
  }

  /** Whether there is something to do. Also says so while a Ready is taken; the next one waits for `advance`. */
  hasReady(): boolean {
    const { state } = this
    const { log } = state
    return (
      log.unstable.hasNextEntries() ||
      log.hasNextCommitted() ||
      state.messages.length > 0 ||
      state.messagesAfterPersist.length > 0 ||
      state.messagesToSelf.length > 0 ||
      state.readStates.length > 0 ||
      state.isBroadcastDue ||
      log.unstable.nextSnapshot() !== undefined ||
      this.changedHardState() !== undefined ||
      this.changedSoftState() !== undefined
    )
  }

  /** Takes what is to be done; see ready.ts for the order. Until `advance` no other Ready can be taken. */
  ready(): Ready {
    assert(this.taken === undefined, 'the Ready taken before is finished first')
    const { state } = this
    const { log } = state
    flushBroadcast(state)
    const hardState = this.changedHardState()
    const entries = log.unstable.nextEntries()
    const previous = this.previousHardState
    const hasVoteChanged =
      hardState !== undefined &&
      (hardState.term !== previous.term || hardState.vote !== previous.vote)
    const ready: Ready = {
      softState: this.changedSoftState(),
      hardState,
      readStates: state.readStates,
      entries,
      snapshot: log.unstable.nextSnapshot(),
      committedEntries: log.nextCommitted(),
      messages: state.messages,
      messagesAfterPersist: state.messagesAfterPersist,
      mustSync: entries.length > 0 || hasVoteChanged,
    }
    this.accept(ready)
    return ready
  }

  /** The Ready taken last is persisted, sent and applied. */
  advance(): void {
    const { taken, state } = this
    assert(taken !== undefined, 'a Ready is taken before it is finished')
    this.taken = undefined
    for (const message of taken.messagesToSelf) {
      // Those of an older term are ignored like all old messages. A node that was removed meanwhile has no say any more.
      if (state.progress.has(this.id)) step(state, message)
    }
    if (taken.hasUnstable && taken.term === state.term) {
      state.log.unstable.stableTo(taken.lastIndex, taken.lastTerm)
    }
    if (taken.snapshotIndex > 0) state.log.installedSnapshot(taken.snapshotIndex)
    this.finishApplying(taken.committedEntries)
  }

  /** A copy of what can be seen from outside. Costs a record for each peer; the getters are free. */
  status(): RaftStatus {
    const { state } = this
    const progress = new Map<NodeId, PeerProgress>()
    if (state.role === 'leader') {
      for (const [id, peer] of state.progress) progress.set(id, peer.view())
    }
    return {
      id: this.id,
      role: state.role,
      leader: state.leader,
      transferee: state.transferee,
      term: state.term,
      vote: state.vote,
      commit: state.log.committed,
      applied: state.log.applied,
      lastIndex: state.log.lastIndex(),
      isLearner: state.confState.learners.includes(this.id),
      confState: state.confState,
      progress,
    }
  }

  private accept(ready: Ready): void {
    const { state } = this
    const { log } = state
    const hasUnstable = log.unstable.hasEntries()
    this.taken = {
      committedEntries: ready.committedEntries,
      snapshotIndex: ready.snapshot?.metadata.index ?? 0,
      messagesToSelf: state.messagesToSelf,
      term: state.term,
      hasUnstable,
      lastIndex: hasUnstable ? log.lastIndex() : 0,
      lastTerm: hasUnstable ? log.lastTerm() : 0,
    }
    if (ready.softState !== undefined) this.previousSoftState = ready.softState
    if (ready.hardState !== undefined) this.previousHardState = ready.hardState
    // The arrays now belong to the host. Empty ones too are replaced: what comes later must not slip into this Ready.
    state.readStates = []
    state.messages = []
    state.messagesAfterPersist = []
    state.messagesToSelf = []
    log.unstable.acceptInProgress()
    const lastCommitted = ready.committedEntries[ready.committedEntries.length - 1]
    if (lastCommitted !== undefined) log.acceptApplying(lastCommitted.index)
  }

  private finishApplying(entries: readonly Entry[]): void {
    const { state } = this
    const last = entries[entries.length - 1]
    if (last === undefined) return
    // A snapshot may have been installed meanwhile that is ahead of these entries.
    if (last.index > state.log.applied) state.log.appliedTo(last.index)
    reduceUncommitted(state, entries)
    leaveJointWhenApplied(state)
  }

  private softState(): SoftState {
    return { leader: this.state.leader, role: this.state.role }
  }

  private changedSoftState(): SoftState | undefined {
    const { leader, role } = this.previousSoftState
    return leader === this.state.leader && role === this.state.role ? undefined : this.softState()
  }

  private changedHardState(): HardState | undefined {
    const next = hardStateOf(this.state)
    const { term, vote, commit } = this.previousHardState
    return next.term === term && next.vote === vote && next.commit === commit ? undefined : next
  }
}
