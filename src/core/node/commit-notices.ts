/**
 * When a leader tells the others what is committed.
 *
 * The problem: an append without entries, sent for the commit alone, costs the leader a write and the reading of an answer
 * for each follower, and each follower two turns; with one request at a time that is as much again as the request. The
 * plain idea: the next entries tell it as well, and a client that waits for its answers sends the next request at once. So
 * the leader waits a moment for that. Followers only learn a little later what they may apply and show; whoever proposed it
 * through one of them waits there for just this, so that one is told at once (see `raft/replication.ts`).
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { LogIndex } from '../raft/message.ts'
import type { RaftNode } from '../raft/raft-node.ts'

/** Longer than a client on the same network takes for its next request, and the shortest that a timer can wait. */
const holdMs = 1

/** The notices of one node. They are late by at most two waits. */
export class CommitNotices {
  private readonly clock: Clock
  private readonly raft: RaftNode
  private readonly wake: () => void
  private timer: Timer | undefined
  /** What was committed when the wait began. */
  private waitingIndex: LogIndex = 0

  /** @param wake  asks for a turn, in which the notices leave */
  constructor(clock: Clock, raft: RaftNode, wake: () => void) {
    this.clock = clock
    this.raft = raft
    this.wake = wake
  }

  /** Something may have been committed. */
  note(): void {
    const { commit } = this.raft
    if (this.timer !== undefined || !this.raft.owesCommit(commit)) return
    this.waitingIndex = commit
    this.timer = this.clock.setTimer(holdMs, this.waited)
  }

  /** Waits no more. */
  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
  }

  private readonly waited = (): void => {
    this.timer = undefined
    if (this.raft.owesCommit(this.waitingIndex)) {
      this.raft.tellCommit()
      this.wake()
    } else this.note()
  }
}
