/**
 * Reads that wait for a confirmed leader (section 6.4 of the Raft thesis).
 *
 * A leader cannot know by itself that it still leads. It notes the commit index when a read arrives, numbers the reads,
 * and sends with its heartbeats the number of the latest one, its *round*. A peer echoes the round; what a quorum has
 * echoed confirms every read up to it. With reads 1–3 waiting and echoes {self: 3, b: 2, c: 0}, a majority has reached
 * round 2, so reads 1 and 2 are answered. Rounds are this leader's own numbers: two reads with the same context of their
 * asker cannot be taken for each other.
 *
 * A leader that has not committed an entry of its own term yet may not know the newest commit index; reads are parked
 * until it has.
 */
import { noNode } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import type { LogIndex, ReadIndexMessage } from './message.ts'
import { send } from './outbox.ts'
import { quorumReached } from './progress.ts'
import type { RaftState } from './raft-state.ts'
import { broadcastHeartbeat } from './replication.ts'

/** Reads that wait at one leader. More are dropped, like any lost message: their askers try again. */
const waitingReadCountMax = 10_000

const roundBytes = 8

/** Takes a read at the leader, from itself or from a follower. */
export function takeReadAtLeader(state: RaftState, request: ReadIndexMessage): void {
  if (!hasCommittedInTerm(state)) {
    if (state.parkedReads.length < waitingReadCountMax) state.parkedReads.push(request)
    return
  }
  const index = state.log.committed
  if (state.config.readMode === 'lease' || state.bugs.answersReadWithoutQuorum) {
    answerRead(state, request, index)
    return
  }
  if (state.unconfirmedReads.length >= waitingReadCountMax) return
  state.unconfirmedReads.push({ request, index })
  const own = state.progress.get(state.id)
  if (own !== undefined) own.readRound = newestRound(state)
  // A single voter is its own quorum; nobody has to be asked.
  confirmReads(state)
  if (state.unconfirmedReads.length > 0) broadcastHeartbeat(state, readRoundContext(state))
}

/**
 * The index that a read which arrives now may rely on, when this node can tell without asking anybody; undefined
 * otherwise.
 *
 * It can while it leads and is the only voter: nobody else can have been elected without its vote, so nothing was
 * acknowledged that it has not committed.
 */
export function readIndexAlone(state: RaftState): LogIndex | undefined {
  if (state.role !== 'leader') return undefined
  const { voters, votersOutgoing } = state.confState
  if (voters.length !== 1 || voters[0] !== state.id || votersOutgoing.length > 0) return undefined
  return hasCommittedInTerm(state) ? state.log.committed : undefined
}

/** Answers what a quorum has confirmed by now. Called after an echo, and after the quorum itself changed. */
export function confirmReads(state: RaftState): void {
  if (state.unconfirmedReads.length === 0) return
  const reached = Math.min(
    quorumReached(state.confState, state.progress, 'readRound'),
    newestRound(state),
  )
  const count = reached - state.confirmedReadCount
  if (count <= 0) return
  for (const { request, index } of state.unconfirmedReads.splice(0, count)) {
    answerRead(state, request, index)
  }
  state.confirmedReadCount = reached
}

/** A peer echoed a round. */
export function noteReadRound(state: RaftState, from: NodeId, context: Uint8Array): void {
  const peer = state.progress.get(from)
  if (peer === undefined || context.length !== roundBytes) return
  const round = decodeRound(context)
  // A round that was never sent is not ours; believing it would confirm reads to come.
  if (round > newestRound(state) || round <= peer.readRound) return
  peer.readRound = round
  confirmReads(state)
}

/** The first commit of the own term happened: parked reads are taken as if they had arrived now. */
export function releaseParkedReads(state: RaftState): void {
  if (state.parkedReads.length === 0 || !hasCommittedInTerm(state)) return
  const parked = state.parkedReads
  state.parkedReads = []
  for (const request of parked) takeReadAtLeader(state, request)
}

/** What the next heartbeat asks to be echoed; empty when no read waits. */
export function readRoundContext(state: RaftState): Uint8Array {
  return state.unconfirmedReads.length === 0 ? noRound : encodeRound(newestRound(state))
}

const noRound = new Uint8Array(0)

function newestRound(state: RaftState): number {
  return state.confirmedReadCount + state.unconfirmedReads.length
}

function answerRead(state: RaftState, request: ReadIndexMessage, index: LogIndex): void {
  const { from: asker, context } = request
  if (asker === state.id || asker === noNode) {
    state.readStates.push({ index, context })
    return
  }
  const { id: from, term } = state
  send(state, { kind: 'readIndexResponse', from, to: asker, term, index, context })
}

function hasCommittedInTerm(state: RaftState): boolean {
  return state.log.hasEntry(state.log.committed, state.term)
}

/** 64 bits, big-endian. */
function encodeRound(round: number): Uint8Array {
  const bytes = new Uint8Array(roundBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Math.floor(round / 0x1_0000_0000))
  view.setUint32(4, round >>> 0)
  return bytes
}

function decodeRound(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, roundBytes)
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4)
}
