/** Who leads, since when, and who wants to know. */
import type { Clock } from '../base/clock.ts'
import { noNode, type NodeId } from '../base/ids.ts'
import type { RaftRole, SoftState } from '../raft/ready.ts'

/** Called when a leader is known that was not the leader before. */
export type NewLeaderListener = (leader: NodeId) => void

/** This node's knowledge of the leader; follows what Raft reports. */
export class Leadership {
  /** Times at which a leader was seen that did not lead before. */
  changeCount = 0
  private readonly clock: Clock
  private readonly listeners: NewLeaderListener[] = []
  private currentLeader: NodeId = noNode
  private currentRole: RaftRole = 'follower'
  private electedAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** 0 while none is known. */
  get leader(): NodeId {
    return this.currentLeader
  }

  get role(): RaftRole {
    return this.currentRole
  }

  /** Monotonic time at which the present leader was first seen; −∞ before the first. */
  get leaderSinceMs(): number {
    return this.electedAtMs
  }

  onNewLeader(listener: NewLeaderListener): void {
    this.listeners.push(listener)
  }

  update(state: SoftState): void {
    const isNewLeader = state.leader !== noNode && state.leader !== this.currentLeader
    this.currentLeader = state.leader
    this.currentRole = state.role
    if (!isNewLeader) return
    this.changeCount++
    this.electedAtMs = this.clock.monotonicMs()
    for (const listener of this.listeners) listener(state.leader)
  }
}
