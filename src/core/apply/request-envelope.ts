/**
 * What a log entry carries: one request and the id under which its proposer waits for the answer.
 *
 * The form is etcd's `InternalRaftRequest`, so that its members and tools read our log: the request in the field of its
 * kind, the id in the header (field 100).
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { assertNever, InvariantViolation } from '../base/assert.ts'
import { requestId, type RequestId } from '../base/ids.ts'
import { ClusterMemberAttrSetRequest, ClusterVersionSetRequest } from '../proto/gen/membership.ts'
import { InternalRaftRequest, RequestHeader } from '../proto/gen/raft_internal.ts'
import {
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../proto/gen/rpc.ts'

/** A request as it enters the log. */
export type LoggedRequest =
  | { readonly kind: 'range'; readonly request: RangeRequest }
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'deleteRange'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly request: TxnRequest }
  | { readonly kind: 'compact'; readonly request: CompactionRequest }
  | { readonly kind: 'alarm'; readonly request: AlarmRequest }
  | { readonly kind: 'memberAttributes'; readonly request: ClusterMemberAttrSetRequest }
  | { readonly kind: 'clusterVersion'; readonly request: ClusterVersionSetRequest }

/** A request with the id that its proposer waits under. */
export interface RequestEnvelope {
  readonly id: RequestId
  readonly logged: LoggedRequest
}

/** Field number and wire type 2 (length-delimited), as the tag of an embedded message. */
const tags = {
  range: (3 << 3) | 2,
  put: (4 << 3) | 2,
  deleteRange: (5 << 3) | 2,
  txn: (6 << 3) | 2,
  compact: (7 << 3) | 2,
  alarm: (10 << 3) | 2,
  header: (100 << 3) | 2,
  clusterVersion: (1300 << 3) | 2,
  memberAttributes: (1301 << 3) | 2,
} as const

/** The payload of a log entry. */
export function encodeEnvelope(envelope: RequestEnvelope): Uint8Array {
  const writer = new BinaryWriter()
  const { logged } = envelope
  // Small field numbers first, as etcd's encoder does; membership requests come behind the header.
  if (logged.kind === 'memberAttributes' || logged.kind === 'clusterVersion') {
    writeHeader(writer, envelope.id)
    writeRequest(writer, logged)
  } else {
    writeRequest(writer, logged)
    writeHeader(writer, envelope.id)
  }
  return writer.finish()
}

function writeHeader(writer: BinaryWriter, id: RequestId): void {
  writer.uint32(tags.header).fork()
  RequestHeader.encode(
    { ID: id, username: '', authRevision: 0n, requesterMemberId: 0n },
    writer,
  ).join()
}

function writeRequest(writer: BinaryWriter, logged: LoggedRequest): void {
  writer.uint32(tags[logged.kind]).fork()
  switch (logged.kind) {
    case 'range':
      RangeRequest.encode(logged.request, writer)
      break
    case 'put':
      PutRequest.encode(logged.request, writer)
      break
    case 'deleteRange':
      DeleteRangeRequest.encode(logged.request, writer)
      break
    case 'txn':
      TxnRequest.encode(logged.request, writer)
      break
    case 'compact':
      CompactionRequest.encode(logged.request, writer)
      break
    case 'alarm':
      AlarmRequest.encode(logged.request, writer)
      break
    case 'memberAttributes':
      ClusterMemberAttrSetRequest.encode(logged.request, writer)
      break
    case 'clusterVersion':
      ClusterVersionSetRequest.encode(logged.request, writer)
      break
    default:
      assertNever(logged, 'request')
  }
  writer.join()
}

/**
 * Reads the payload of a log entry. Byte fields share memory with it.
 * @throws InvariantViolation for a request that this version cannot apply: to pass over it would let members diverge
 */
export function decodeEnvelope(data: Uint8Array): RequestEnvelope {
  const message = InternalRaftRequest.decode(data)
  const id = requestId(message.header?.ID ?? message.ID)
  const logged = loggedOf(message)
  if (logged === undefined) {
    throw new InvariantViolation('the log holds a request that this version cannot apply')
  }
  return { id, logged }
}

function loggedOf(message: InternalRaftRequest): LoggedRequest | undefined {
  if (message.put !== undefined) return { kind: 'put', request: message.put }
  if (message.txn !== undefined) return { kind: 'txn', request: message.txn }
  if (message.deleteRange !== undefined)
    return { kind: 'deleteRange', request: message.deleteRange }
  if (message.range !== undefined) return { kind: 'range', request: message.range }
  if (message.compaction !== undefined) return { kind: 'compact', request: message.compaction }
  if (message.alarm !== undefined) return { kind: 'alarm', request: message.alarm }
  if (message.clusterMemberAttrSet !== undefined) {
    return { kind: 'memberAttributes', request: message.clusterMemberAttrSet }
  }
  if (message.clusterVersionSet !== undefined) {
    return { kind: 'clusterVersion', request: message.clusterVersionSet }
  }
  return undefined
}
