/**
 * A quick first election.
 *
 * A node that has just started has no reason to wait a whole election timeout when nobody can be leading, or when it can
 * be reached by a leader at once. A lone voter campaigns as soon as it has applied its log. Among several, the election
 * clock is put forward to two ticks before the earliest timeout once others are connected: still time for a heartbeat of a
 * leader that is there. Source: etcd, `adjustTicks`.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { noNode } from '../base/ids.ts'
import type { RaftNode } from '../raft/raft-node.ts'
import type { PeerDirectory } from './peer-directory.ts'
import type { RaftLoop } from './raft-loop.ts'

/** How often, and how long, a node looks whether others are there. */
const lookIntervalMs = 50
/** A lone voter waits for nothing but its own log, and whoever started it waits for it. */
const loneLookIntervalMs = 5
const lookForMs = 5_000

/** Looks for the moment; ends by itself. */
export class FirstElection {
  private timer: Timer | undefined
  private lookedForMs = 0
  private readonly parts: {
    readonly clock: Clock
    readonly raft: RaftNode
    readonly loop: RaftLoop
    readonly peers: PeerDirectory
    readonly electionTicks: number
  }

  constructor(parts: FirstElection['parts']) {
    this.parts = parts
  }

  start(): void {
    const isAlone = this.parts.raft.confState.voters.length === 1
    const intervalMs = isAlone ? loneLookIntervalMs : lookIntervalMs
    this.timer = this.parts.clock.setTimer(intervalMs, () => {
      this.lookedForMs += intervalMs
      if (!this.isOver() && this.lookedForMs < lookForMs) this.start()
    })
  }

  stop(): void {
    this.timer?.cancel()
  }

  private isOver(): boolean {
    const { raft, loop, peers, electionTicks } = this.parts
    if (raft.leader !== noNode) return true
    const { voters } = raft.confState
    if (!voters.includes(raft.id)) return false
    if (voters.length === 1) {
      if (raft.applied < raft.commit) return false
      loop.campaign()
      return true
    }
    if (peers.connectedLongestFirst().length < Math.min(2, voters.length - 1)) return false
    loop.advanceElection(electionTicks - 2)
    return true
  }
}
