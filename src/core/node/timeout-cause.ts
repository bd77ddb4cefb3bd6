/** Why a request ran out of time, as far as it can be told. Source: etcd, `parseProposeCtxErr`. */
import { noNode, type NodeId } from '../base/ids.ts'
import type { StoreErrorCode } from '../errors/error-table.ts'
import type { Leadership } from './leadership.ts'
import type { PeerDirectory } from './peer-directory.ts'

/**
 * The kind of time-out of a request that began at that monotonic time.
 *
 * A leader that has been seen for less than two election timeouts suggests that the request went to the one before.
 */
export function timeoutCauseOf(
  node: {
    readonly memberId: NodeId
    readonly electionMs: number
    readonly leadership: Leadership
    readonly peers: PeerDirectory
    readonly voterCount: number
  },
  startedMs: number,
): StoreErrorCode {
  const { leadership, peers } = node
  const { leader, leaderSinceMs } = leadership
  if (startedMs < leaderSinceMs && startedMs > leaderSinceMs - 2 * node.electionMs) {
    return 'timeoutDueToLeaderFail'
  }
  if (leader === noNode) return 'timeout'
  const isConnected =
    leader === node.memberId
      ? (peers.countConnectedSince(startedMs) + 1) * 2 > node.voterCount
      : peers.isConnectedSince(leader, startedMs)
  return isConnected ? 'timeout' : 'timeoutDueToConnectionLost'
}
