/** Handing over leadership, asked for or before a stop. */
import type { Cancellation } from '../base/cancellation.ts'
import type { Clock } from '../base/clock.ts'
import { noNode, type NodeId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { RaftNode } from '../raft/raft-node.ts'
import type { RaftLoop } from './raft-loop.ts'

/** How often the outcome is looked at; Raft gives no sign of its own when a transfer fails. */
const lookIntervalMs = 10

export interface TransferParts {
  readonly clock: Clock
  readonly raft: RaftNode
  readonly loop: RaftLoop
}

/**
 * Makes `target` the leader and waits until this node knows that it is.
 * @param options  `timeoutMs`: how long to wait; `cancellation` ends the wait, not the transfer
 * @throws StoreError `notLeader`, `badLeaderTransferee`, `leaderTransferTimeout`
 */
export async function transferLeadership(
  parts: TransferParts,
  target: NodeId,
  options: { readonly timeoutMs: number; readonly cancellation?: Cancellation | undefined },
): Promise<void> {
  const { clock, raft, loop } = parts
  if (raft.leader !== raft.id) throw new StoreError('notLeader')
  if (target === raft.id) return
  if (!raft.confState.voters.includes(target)) throw new StoreError('badLeaderTransferee')
  raft.transferLeader(target)
  loop.wake()
  const deadlineMs = clock.monotonicMs() + options.timeoutMs
  while (raft.leader !== target) {
    if (clock.monotonicMs() >= deadlineMs || options.cancellation?.isCanceled === true) {
      throw new StoreError('leaderTransferTimeout')
    }
    await new Promise<void>((resolve) => clock.setTimer(lookIntervalMs, resolve))
  }
}

/** The voter to hand over to: of those connected, the first that votes. None: there is nobody. */
export function chooseTransferee(raft: RaftNode, connectedLongestFirst: readonly NodeId[]): NodeId {
  const { voters } = raft.confState
  return connectedLongestFirst.find((peer) => voters.includes(peer)) ?? noNode
}
