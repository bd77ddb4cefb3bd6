/**
 * What a log entry carries: one request and the id under which its proposer waits for the answer.
 *
 * The form is etcd's `InternalRaftRequest`, so that its members and tools read our log: the request in the field of its
 * kind, the id in the header (field 100).
 */
import type { AuthInfo } from '../auth/auth-store.ts'
import { assertNever, InvariantViolation } from '../base/assert.ts'
import { emptyBytes } from '../base/bytes.ts'
import { requestId, type RequestId } from '../base/ids.ts'
import { ByteReader } from '../proto/byte-reader.ts'
import { ByteWriter, varint64Size } from '../proto/byte-writer.ts'
import {
  ClusterMemberAttrSetRequest,
  ClusterVersionSetRequest,
  DowngradeInfoSetRequest,
} from '../proto/gen/membership.ts'
import { InternalRaftRequest, RequestHeader } from '../proto/gen/raft_internal.ts'
import {
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  LeaseCheckpointRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  type PutRequest,
  RangeRequest,
  TxnRequest,
} from '../proto/gen/rpc.ts'
import { kvRequestCodecs, wireFormOf } from '../proto/kv-request-codec.ts'
import { putRequestSize, writePutRequest } from '../proto/put-codec.ts'
import {
  encodeAuthOperation,
  fieldOfAuthOperation,
  findAuthOperation,
  type AuthOperation,
} from './auth-operation.ts'
import { findV2Request, type V2Notice } from './v2-request.ts'

/** A request as it enters the log. */
export type LoggedRequest =
  | { readonly kind: 'range'; readonly request: RangeRequest }
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'deleteRange'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly request: TxnRequest }
  | { readonly kind: 'compact'; readonly request: CompactionRequest }
  | { readonly kind: 'alarm'; readonly request: AlarmRequest }
  | { readonly kind: 'leaseGrant'; readonly request: LeaseGrantRequest }
  | { readonly kind: 'leaseRevoke'; readonly request: LeaseRevokeRequest }
  | { readonly kind: 'leaseCheckpoint'; readonly request: LeaseCheckpointRequest }
  | { readonly kind: 'auth'; readonly operation: AuthOperation }
  | { readonly kind: 'memberAttributes'; readonly request: ClusterMemberAttrSetRequest }
  | { readonly kind: 'clusterVersion'; readonly request: ClusterVersionSetRequest }
  | { readonly kind: 'downgrade'; readonly request: DowngradeInfoSetRequest }
  /** Something that concerns no state of ours; only members of other versions write it. */
  | { readonly kind: 'nothing' }

/** A request with the id that its proposer waits under. */
export interface RequestEnvelope {
  readonly id: RequestId
  readonly logged: LoggedRequest
  /** Who asked; absent where nobody said so. */
  readonly requester?: AuthInfo | undefined
}

/** Field number and wire type 2 (length-delimited), as the tag of an embedded message. */
const tags = {
  range: (3 << 3) | 2,
  put: (4 << 3) | 2,
  deleteRange: (5 << 3) | 2,
  txn: (6 << 3) | 2,
  compact: (7 << 3) | 2,
  leaseGrant: (8 << 3) | 2,
  leaseRevoke: (9 << 3) | 2,
  alarm: (10 << 3) | 2,
  leaseCheckpoint: (11 << 3) | 2,
  header: (100 << 3) | 2,
  clusterVersion: (1300 << 3) | 2,
  memberAttributes: (1301 << 3) | 2,
  downgrade: (1302 << 3) | 2,
  // The test request of etcd, which changes nothing either.
  nothing: (9900 << 3) | 2,
} as const

/** The payloads of log entries, one after the other in memory that they share. */
export class EnvelopeEncoder {
  private writer = new ByteWriter(slabSizeBytes)

  /** The payload of a log entry. Nobody else writes to its bytes. */
  encode(envelope: RequestEnvelope): Uint8Array {
    const { logged } = envelope
    const requester = requesterBytesOf(envelope.requester)
    if (logged.kind === 'put') {
      const requestSize = putRequestSize(logged.request)
      const start = this.begin(requestSize + requester.length)
      writeLengthTag(this.writer, tags.put, requestSize)
      writePutRequest(this.writer, logged.request)
      writeHeader(this.writer, envelope.id, requester)
      return this.writer.written(start)
    }
    const request = encodeRequest(logged)
    const start = this.begin(request.length + requester.length)
    const tag = tagOf(logged)
    // Small field numbers first, as etcd's encoder does; some requests come behind the header.
    const isBehind = tag > tags.header
    if (isBehind) writeHeader(this.writer, envelope.id, requester)
    writeLengthTag(this.writer, tag, request.length)
    this.writer.bytes(request)
    if (!isBehind) writeHeader(this.writer, envelope.id, requester)
    return this.writer.written(start)
  }

  /** Where the next payload begins; a large one gets memory of its own. */
  private begin(requestSizeBytes: number): number {
    const sizeBytesMax = requestSizeBytes + envelopeSizeBytesMax
    if (this.writer.length + sizeBytesMax > slabSizeBytes) {
      this.writer = new ByteWriter(Math.max(slabSizeBytes, sizeBytesMax))
    }
    return this.writer.length
  }
}

/** The payload of a log entry, in memory of its own. */
export function encodeEnvelope(envelope: RequestEnvelope): Uint8Array {
  return new EnvelopeEncoder().encode(envelope).slice()
}

const headerIdTag = 0x08

/** Payloads of one slab live about equally long; a larger one would keep more memory for its longest-lived one. */
const slabSizeBytes = 65_536

/** Tag and size of the request, and the header with its id. */
const envelopeSizeBytesMax = 32

function writeHeader(writer: ByteWriter, id: RequestId, requester: Uint8Array): void {
  const idSize = id === 0n ? 0 : 1 + varint64Size(id)
  writeLengthTag(writer, tags.header, idSize + requester.length)
  if (id !== 0n) {
    writer.byte(headerIdTag)
    writer.varint64(id)
  }
  if (requester.length > 0) writer.bytes(requester)
}

/** The fields of the header that tell who asked; none while nobody has to say so. */
function requesterBytesOf(requester: AuthInfo | undefined): Uint8Array {
  if (requester === undefined || requester.revision === 0) return emptyBytes
  return RequestHeader.encode({
    ID: 0n,
    username: requester.username,
    authRevision: BigInt(requester.revision),
    requesterMemberId: 0n,
  }).finish()
}

function tagOf(logged: LoggedRequest): number {
  return logged.kind === 'auth' ? fieldOfAuthOperation(logged.operation) * 8 + 2 : tags[logged.kind]
}

function writeLengthTag(writer: ByteWriter, tag: number, sizeBytes: number): void {
  writer.varint(tag)
  writer.varint(sizeBytes)
}

function encodeRequest(logged: Exclude<LoggedRequest, { readonly kind: 'put' }>): Uint8Array {
  switch (logged.kind) {
    case 'range':
      return RangeRequest.encode(logged.request).finish()
    case 'deleteRange':
      return DeleteRangeRequest.encode(logged.request).finish()
    case 'txn':
      return wireFormOf(logged.request) ?? TxnRequest.encode(logged.request).finish()
    case 'compact':
      return CompactionRequest.encode(logged.request).finish()
    case 'alarm':
      return AlarmRequest.encode(logged.request).finish()
    case 'leaseGrant':
      return LeaseGrantRequest.encode(logged.request).finish()
    case 'leaseRevoke':
      return LeaseRevokeRequest.encode(logged.request).finish()
    case 'leaseCheckpoint':
      return LeaseCheckpointRequest.encode(logged.request).finish()
    case 'auth':
      return encodeAuthOperation(logged.operation)
    case 'memberAttributes':
      return ClusterMemberAttrSetRequest.encode(logged.request).finish()
    case 'clusterVersion':
      return ClusterVersionSetRequest.encode(logged.request).finish()
    case 'downgrade':
      return DowngradeInfoSetRequest.encode(logged.request).finish()
    case 'nothing':
      return emptyBytes
    default:
      return assertNever(logged, 'request')
  }
}

/** The transaction that this payload was made from, where it is still at hand and was itself read from the same bytes. */
export type KnownTxn = (id: RequestId, data: Uint8Array) => TxnRequest | undefined

/**
 * Reads the payload of a log entry. Byte fields share memory with it.
 *
 * @param findKnown  saves reading a transaction once more
 * @throws InvariantViolation for a request that this version cannot apply: to pass over it would let members diverge
 */
export function decodeEnvelope(data: Uint8Array, findKnown?: KnownTxn): RequestEnvelope {
  const plain = readPlainEnvelope(data, findKnown)
  if (plain !== undefined) return plain
  const older = findV2Request(data)
  if (older !== undefined) return { id: older.id, logged: loggedOfV2(older.notice) }
  const message = InternalRaftRequest.decode(data)
  const id = requestId(message.header?.ID ?? message.ID)
  const logged = loggedOf(message)
  if (logged === undefined) {
    throw new InvariantViolation('the log holds a request that this version cannot apply')
  }
  return { id, logged, requester: requesterOf(message.header) }
}

function requesterOf(header: RequestHeader | undefined): AuthInfo | undefined {
  if (header === undefined || header.authRevision === 0n) return undefined
  return { username: header.username, revision: Number(header.authRevision) }
}

/** One of the common writes and the id in its header; undefined when there is anything else. */
function readPlainEnvelope(
  data: Uint8Array,
  findKnown: KnownTxn | undefined,
): RequestEnvelope | undefined {
  const reader = new ByteReader(data)
  const tag = reader.tag()
  if (tag !== tags.put && tag !== tags.txn && tag !== tags.deleteRange) return undefined
  const request = reader.bytes()
  if (reader.isAtEnd() || reader.tag() !== tags.header) return undefined
  const header = reader.message()
  if (!reader.isAtEnd() || header.isAtEnd() || header.tag() !== headerIdTag) return undefined
  const id = requestId(header.bits64())
  if (!header.isAtEnd()) return undefined
  if (tag === tags.put) {
    return { id, logged: { kind: 'put', request: kvRequestCodecs.put.decode(request) } }
  }
  if (tag === tags.txn) {
    const txn = findKnown?.(id, data) ?? kvRequestCodecs.txn.decode(request)
    return { id, logged: { kind: 'txn', request: txn } }
  }
  return {
    id,
    logged: { kind: 'deleteRange', request: kvRequestCodecs.deleteRange.decode(request) },
  }
}

function loggedOf(message: InternalRaftRequest): LoggedRequest | undefined {
  if (message.put !== undefined) return { kind: 'put', request: message.put }
  if (message.txn !== undefined) return { kind: 'txn', request: message.txn }
  if (message.deleteRange !== undefined)
    return { kind: 'deleteRange', request: message.deleteRange }
  if (message.range !== undefined) return { kind: 'range', request: message.range }
  if (message.compaction !== undefined) return { kind: 'compact', request: message.compaction }
  if (message.alarm !== undefined) return { kind: 'alarm', request: message.alarm }
  if (message.leaseGrant !== undefined) return { kind: 'leaseGrant', request: message.leaseGrant }
  if (message.leaseRevoke !== undefined) {
    return { kind: 'leaseRevoke', request: message.leaseRevoke }
  }
  if (message.leaseCheckpoint !== undefined) {
    return { kind: 'leaseCheckpoint', request: message.leaseCheckpoint }
  }
  const operation = findAuthOperation(message)
  if (operation !== undefined) return { kind: 'auth', operation }
  if (message.clusterMemberAttrSet !== undefined) {
    return { kind: 'memberAttributes', request: message.clusterMemberAttrSet }
  }
  if (message.clusterVersionSet !== undefined) {
    return { kind: 'clusterVersion', request: message.clusterVersionSet }
  }
  if (message.downgradeInfoSet !== undefined) {
    return { kind: 'downgrade', request: message.downgradeInfoSet }
  }
  return message.downgradeVersionTest === undefined ? undefined : { kind: 'nothing' }
}

/** A notice of an older member, in the form in which newer ones write it. */
function loggedOfV2(notice: V2Notice): LoggedRequest {
  switch (notice.kind) {
    case 'memberAttributes': {
      const memberAttributes = { name: notice.name, clientUrls: [...notice.clientUrls] }
      return { kind: 'memberAttributes', request: { memberID: notice.member, memberAttributes } }
    }
    case 'clusterVersion':
      return { kind: 'clusterVersion', request: { ver: notice.version } }
    case 'none':
      return { kind: 'nothing' }
    default:
      return assertNever(notice, 'notice')
  }
}
