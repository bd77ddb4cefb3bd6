/**
 * Handing over leadership (section 3.10 of the Raft thesis): bring the transferee's log up to date, then let it campaign
 * at once. Proposals are dropped meanwhile; after one election timeout the old leader goes on.
 */
import { hexId, noNode } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import { send } from './outbox.ts'
import type { RaftState } from './raft-state.ts'
import { sendAppend } from './replication.ts'

/** Takes a wish at the leader. Itself, learners and strangers cannot take over; the latest wish wins. */
export function startTransfer(state: RaftState, transferee: NodeId): void {
  const peer = state.progress.get(transferee)
  if (peer === undefined || peer.isLearner || state.transferee === transferee) return
  abortTransfer(state)
  if (transferee === state.id) return
  state.config.logger.info('leadership transfer begun', { transferee: hexId(transferee) })
  // The transfer has one full election timeout.
  state.electionElapsed = 0
  state.transferee = transferee
  if (peer.match === state.log.lastIndex()) sendTimeoutNow(state, transferee)
  else sendAppend(state, transferee, peer)
}

/** The log of `peer` reached the leader's: if it is the transferee, its time has come. */
export function continueTransfer(state: RaftState, peer: NodeId): void {
  if (peer !== state.transferee || state.progress.get(peer)?.match !== state.log.lastIndex()) return
  sendTimeoutNow(state, peer)
}

export function abortTransfer(state: RaftState): void {
  state.transferee = noNode
}

function sendTimeoutNow(state: RaftState, to: NodeId): void {
  send(state, { kind: 'timeoutNow', from: state.id, to, term: state.term })
}
