/**
 * The leader's view of one peer: what it holds for sure, what to send next, and how boldly.
 *
 * `probe`: one append per heartbeat until the peer's log is known to agree. `replicate`: appends leave without waiting,
 * up to the window. `snapshot`: the log no longer reaches back far enough; nothing leaves until the snapshot has arrived.
 */
import { assert } from '../base/assert.ts'
import type { NodeId } from '../base/ids.ts'
import { Inflights } from './inflights.ts'
import type { InflightsLimit } from './inflights.ts'
import type { LogIndex } from './message.ts'
import { majorityReached } from './quorum.ts'
import type { Voters } from './quorum.ts'
import type { PeerProgress } from './ready.ts'

export type ProgressState = PeerProgress['state']

/** How a peer begins: on an election, or when it joins. */
export interface ProgressStart {
  readonly next: LogIndex
  readonly isLearner: boolean
  readonly isRecentlyActive: boolean
}

export class Progress {
  /** Highest index that the peer has acknowledged, hence holds durably. Invariant: `match < next`. */
  match: LogIndex = 0
  next: LogIndex
  state: ProgressState = 'probe'
  isLearner: boolean
  /** Heard from since the last look at the quorum. */
  isRecentlyActive: boolean
  /** The last read round that the peer has confirmed; see read-index.ts. */
  readRound = 0
  readonly inflights: Inflights
  /** Last index of what the peer itself proposed: it is waiting for the commit, and is told at once. */
  proposedIndex: LogIndex = 0
  /** Index of the snapshot under way; 0 when none is. */
  pendingSnapshot: LogIndex = 0
  private isFlowPaused = false
  /** Highest commit index that was sent to the peer; it may not have arrived. */
  private sentCommit: LogIndex = 0

  constructor(start: ProgressStart, window: InflightsLimit) {
    this.next = start.next
    this.isLearner = start.isLearner
    this.isRecentlyActive = start.isRecentlyActive
    this.inflights = new Inflights(window)
  }

  /** Whether nothing may be sent for now. */
  isPaused(): boolean {
    return this.state === 'snapshot' || this.isFlowPaused
  }

  /** Pauses until the peer answers or a heartbeat makes its round. */
  pause(): void {
    this.isFlowPaused = true
  }

  resume(): void {
    this.isFlowPaused = false
  }

  becomeProbe(): void {
    // A snapshot that arrived leaves the peer at its index at least, whatever was acknowledged before.
    const reached = Math.max(this.match, this.pendingSnapshot)
    this.enter('probe')
    this.next = reached + 1
    this.sentCommit = Math.min(this.sentCommit, this.next - 1)
  }

  becomeReplicate(): void {
    this.enter('replicate')
    this.next = this.match + 1
  }

  becomeSnapshot(index: LogIndex): void {
    this.enter('snapshot')
    this.pendingSnapshot = index
    this.next = index + 1
    this.sentCommit = index
  }

  /** Notes an append that was sent, `payloadBytes` being the sum of its entries' data. */
  noteSent(append: { readonly entryCount: number; readonly payloadBytes: number }): void {
    if (this.state === 'replicate') {
      if (append.entryCount > 0) {
        this.next += append.entryCount
        this.inflights.add(this.next - 1, append.payloadBytes)
      }
      this.isFlowPaused = this.inflights.isFull()
      return
    }
    assert(this.state === 'probe', 'appends are not sent beside a snapshot')
    if (append.entryCount > 0) this.isFlowPaused = true
  }

  noteSentCommit(commit: LogIndex): void {
    this.sentCommit = commit
  }

  /** Whether an empty append would tell the peer something new about what is committed. */
  needsCommit(commit: LogIndex): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1
  }

  /** Whether the peer has not been told of the commit of something that it proposed itself. */
  awaitsCommit(): boolean {
    return this.sentCommit < this.proposedIndex
  }

  /** The peer acknowledged everything up to `index`. Whether that is news. */
  acknowledge(index: LogIndex): boolean {
    if (index <= this.match) return false
    this.match = index
    this.next = Math.max(this.next, index + 1)
    this.isFlowPaused = false
    return true
  }

  /**
   * The peer refused an append behind `rejected`; `hint` is where its log may agree. Whether `next` moved: answers that
   * arrive late are told by their index and change nothing, or the leader would go back for ever.
   */
  retreat(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false
      this.next = this.match + 1
    } else {
      if (this.next - 1 !== rejected) return false
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1)
      this.isFlowPaused = false
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1)
    return true
  }

  /** A copy for the curious. */
  view(): PeerProgress {
    return {
      match: this.match,
      next: this.next,
      state: this.state,
      isPaused: this.isPaused(),
      isRecentlyActive: this.isRecentlyActive,
      isLearner: this.isLearner,
    }
  }

  private enter(state: ProgressState): void {
    this.state = state
    this.isFlowPaused = false
    this.pendingSnapshot = 0
    this.inflights.clear()
  }
}

/** What a quorum of the voters (joint: both majorities) has reached, of acknowledged entries or of read rounds. */
export function quorumReached(
  voters: Voters,
  progress: ReadonlyMap<NodeId, Progress>,
  what: 'match' | 'readRound',
): number {
  const incoming = majorityReached(reachedBy(voters.voters, progress, what))
  if (voters.votersOutgoing.length === 0) return incoming
  return Math.min(incoming, majorityReached(reachedBy(voters.votersOutgoing, progress, what)))
}

function reachedBy(
  voters: readonly NodeId[],
  progress: ReadonlyMap<NodeId, Progress>,
  what: 'match' | 'readRound',
): number[] {
  const reached: number[] = []
  for (const voter of voters) reached.push(progress.get(voter)?.[what] ?? 0)
  return reached
}
