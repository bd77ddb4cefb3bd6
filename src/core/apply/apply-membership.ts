/**
 * Configuration entries: who takes part in Raft, and the record of that member.
 *
 * An entry holds etcd's `raftpb.ConfChange`: 1 id of the request, 2 kind, 3 node, 4 context; the context is the member as
 * JSON, with `"isPromote":true` when a learner becomes a voter. A change that the membership rules refuse is given to Raft
 * as a change of node 0: the log position is used up and a following change is not held back, but nothing changes.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { BackendBatch } from '../backend/backend.ts'
import { InvariantViolation } from '../base/assert.ts'
import { nodeId, noNode, requestId, type NodeId, type RequestId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { ClusterMembership, MembershipChange } from '../membership/cluster-membership.ts'
import { decodeMemberJson, encodeMemberJson } from '../membership/member-json.ts'
import type { Member } from '../membership/member.ts'
import { ConfChange, ConfChangeType } from '../proto/gen/raft.ts'

/** A change as Raft takes it; the same shape as Raft's own record. */
export interface RaftChange {
  readonly transition: 'auto'
  readonly changes: readonly [
    { readonly action: 'addVoter' | 'addLearner' | 'remove' | 'update'; readonly node: NodeId },
  ]
}

/** A configuration entry, taken apart. */
export interface MembershipEntry {
  readonly id: RequestId
  readonly change: MembershipChange
}

/** The payload of a configuration entry. Every member of a new cluster writes the same bytes. */
export function encodeMembershipEntry(entry: MembershipEntry): Uint8Array {
  const { change } = entry
  const writer = new BinaryWriter()
  // Zero fields are written too, as etcd's encoder does for this message.
  writer.uint32(0x08).uint64(entry.id)
  writer.uint32(0x10).int32(typeOf(change))
  writer.uint32(0x18).uint64(change.kind === 'add' ? change.member.id : change.id)
  const context = contextOf(change)
  if (context !== undefined) writer.uint32(0x22).bytes(new TextEncoder().encode(context))
  return writer.finish()
}

function typeOf(change: MembershipChange): ConfChangeType {
  switch (change.kind) {
    case 'add':
      return change.member.isLearner
        ? ConfChangeType.ConfChangeAddLearnerNode
        : ConfChangeType.ConfChangeAddNode
    case 'promote':
      return ConfChangeType.ConfChangeAddNode
    case 'updatePeerUrls':
      return ConfChangeType.ConfChangeUpdateNode
    case 'remove':
      return ConfChangeType.ConfChangeRemoveNode
  }
}

function contextOf(change: MembershipChange): string | undefined {
  if (change.kind === 'add') return encodeMemberJson(change.member)
  if (change.kind === 'remove') return undefined
  const peerUrls = change.kind === 'updatePeerUrls' ? change.peerUrls : []
  const member = encodeMemberJson({
    id: change.id,
    name: '',
    peerUrls,
    clientUrls: [],
    isLearner: false,
  })
  return change.kind === 'promote' ? `${member.slice(0, -1)},"isPromote":true}` : member
}

/** @throws StorageFault when the context is not a member; InvariantViolation for a kind that does not exist */
export function decodeMembershipEntry(data: Uint8Array): MembershipEntry {
  const message = ConfChange.decode(data)
  return { id: requestId(message.id ?? 0n), change: changeOf(message) }
}

function changeOf(message: ConfChange): MembershipChange {
  const id = nodeId(message.nodeId ?? 0n)
  const type = message.type ?? ConfChangeType.ConfChangeAddNode
  if (type === ConfChangeType.ConfChangeRemoveNode) return { kind: 'remove', id }
  const text = new TextDecoder().decode(message.context)
  const member: Member = decodeMemberJson(text, 'configuration entry')
  if (member.id !== id) throw new InvariantViolation('a configuration entry names two members')
  switch (type) {
    case ConfChangeType.ConfChangeAddNode:
      if (/"isPromote":\s*true/.test(text)) return { kind: 'promote', id }
      return { kind: 'add', member: { ...member, isLearner: false } }
    case ConfChangeType.ConfChangeAddLearnerNode:
      return { kind: 'add', member: { ...member, isLearner: true } }
    case ConfChangeType.ConfChangeUpdateNode:
      return { kind: 'updatePeerUrls', id, peerUrls: member.peerUrls }
    default:
      throw new InvariantViolation('the log holds a configuration change of an unknown kind')
  }
}

/** What came of a configuration entry. */
export interface MembershipOutcome {
  /** To be given to Raft in any case. */
  readonly raftChange: RaftChange
  readonly error: StoreError | undefined
}

/** Checks a change against the membership and records it there. */
export function applyMembershipChange(
  membership: ClusterMembership,
  batch: BackendBatch,
  change: MembershipChange,
): MembershipOutcome {
  try {
    membership.check(change)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return {
      raftChange: { transition: 'auto', changes: [{ action: 'update', node: noNode }] },
      error,
    }
  }
  membership.apply(batch, change)
  return { raftChange: raftChangeOf(change), error: undefined }
}

function raftChangeOf(change: MembershipChange): RaftChange {
  switch (change.kind) {
    case 'add': {
      const action = change.member.isLearner ? 'addLearner' : 'addVoter'
      return { transition: 'auto', changes: [{ action, node: change.member.id }] }
    }
    case 'promote':
      return { transition: 'auto', changes: [{ action: 'addVoter', node: change.id }] }
    case 'updatePeerUrls':
      return { transition: 'auto', changes: [{ action: 'update', node: change.id }] }
    case 'remove':
      return { transition: 'auto', changes: [{ action: 'remove', node: change.id }] }
  }
}
