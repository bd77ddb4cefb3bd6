/**
 * Answers to reads and writes, put together from stored bytes.
 *
 * A pair is stored in its wire form, so an answer is: header, then for each pair a tag, a length and the stored bytes.
 * Each response is described twice by one `MessagePart`, once as a size and once as a write, and the frame checks that
 * both agree.
 */
import { emptyBytes } from '../base/bytes.ts'
import { noLease } from '../base/ids.ts'
import {
  encodeKeyValue,
  type CompactResult,
  type DeleteRangeResult,
  type OperationResult,
  type PackedRange,
  type PutResult,
  type RangeResult,
  type StoredKeyValue,
  type TxnResult,
} from '../node/node-surface.ts'
import type { RequestOp, TxnRequest } from '../proto/gen/rpc.ts'
import { RangeRequest_SortTarget } from '../proto/gen/rpc.ts'
import type { ResponseHeaders } from './response-header.ts'
import { WireError } from './status-mapping.ts'
import { bytesFieldSize, FrameWriter, numberFieldSize } from './wire-writer.ts'

/** Fields of a message, measured and ready to be written. */
interface MessagePart {
  readonly sizeBytes: number
  write(writer: FrameWriter): void
}

// Tags: field number << 3 | wire type, from the messages of rpc.proto.
const headerTag = 0x0a
const rangeKvsTag = 0x12
const rangeMoreTag = 0x18
const rangeCountTag = 0x20
const putPrevKvTag = 0x12
const deleteCountTag = 0x10
const deletePrevKvsTag = 0x1a
const txnSucceededTag = 0x10
const txnResponsesTag = 0x1a
const headerRevisionTag = 0x18
const operationTags = { range: 0x0a, put: 0x12, deleteRange: 0x1a, txn: 0x22 } as const

/** How a range was asked for, as far as the form of its answer depends on it. */
export interface RangeForm {
  /** Pairs without values keep their lease; only a sort by value makes it so. */
  readonly keepsLease: boolean
}

/** RangeResponse as a frame. */
export function encodeRange(
  headers: ResponseHeaders,
  result: RangeResult,
  form: RangeForm,
): Uint8Array {
  return encodeTop(headers, result.revision, rangePart(result, form))
}

/** A frame of several pieces, the first and the last of which are not part of what was packed. */
export interface PackedFrame {
  readonly sizeBytes: number
  readonly head: Uint8Array
  readonly tail: Uint8Array
}

/** What stands around the pairs of a RangeResponse. */
export function encodeAroundPairs(headers: ResponseHeaders, result: PackedRange): PackedFrame {
  const { revision, hasMore, count } = result
  const { raftTerm } = headers
  const tailSizeBytes = numberFieldSize(count) + (hasMore ? 2 : 0)
  const headSizeBytes = bytesFieldSize(headers.size(revision, raftTerm))
  const messageSizeBytes = headSizeBytes + result.sizeBytes + tailSizeBytes
  if (messageSizeBytes > messageSizeBytesMax) {
    throw new WireError(
      'resourceExhausted',
      `grpc: trying to send message larger than max (${messageSizeBytes} vs. ${messageSizeBytesMax})`,
    )
  }
  const writer = new FrameWriter(messageSizeBytes, headSizeBytes + tailSizeBytes)
  headers.write(writer, headerTag, { revision, raftTerm })
  writer.flagField(rangeMoreTag, hasMore)
  writer.numberField(rangeCountTag, count)
  const both = writer.finish()
  const cut = both.length - tailSizeBytes
  return {
    sizeBytes: both.length + result.sizeBytes,
    head: both.subarray(0, cut),
    tail: both.subarray(cut),
  }
}

/** PutResponse as a frame. */
export function encodePut(headers: ResponseHeaders, result: PutResult): Uint8Array {
  return encodeTop(headers, result.revision, putPart(result))
}

/** DeleteRangeResponse as a frame. */
export function encodeDeleteRange(headers: ResponseHeaders, result: DeleteRangeResult): Uint8Array {
  return encodeTop(headers, result.revision, deleteRangePart(result))
}

/** TxnResponse as a frame. The request tells the form of the ranges in it. */
export function encodeTxn(
  headers: ResponseHeaders,
  result: TxnResult,
  request: TxnRequest,
): Uint8Array {
  return encodeTop(headers, result.revision, txnPart(result, request))
}

/** CompactionResponse as a frame. */
export function encodeCompact(headers: ResponseHeaders, result: CompactResult): Uint8Array {
  return encodeTop(headers, result.revision, emptyPart)
}

/** The form of a range's answer. */
export function rangeFormOf(request: { readonly sortTarget: number }): RangeForm {
  return { keepsLease: request.sortTarget === RangeRequest_SortTarget.VALUE }
}

/** What gRPC servers in Go send at most. */
const messageSizeBytesMax = 0x7fff_ffff

const emptyPart: MessagePart = { sizeBytes: 0, write: () => undefined }

function encodeTop(headers: ResponseHeaders, revision: number, body: MessagePart): Uint8Array {
  const { raftTerm } = headers
  const headerSizeBytes = headers.size(revision, raftTerm)
  const writer = new FrameWriter(bytesFieldSize(headerSizeBytes) + body.sizeBytes)
  headers.write(writer, headerTag, { revision, raftTerm })
  body.write(writer)
  return writer.finish()
}

function rangePart(result: RangeResult, form: RangeForm): MessagePart {
  const pairs = result.isKeysOnly
    ? result.keyValues.map((pair) => withoutValue(pair, form))
    : result.keyValues
  let sizeBytes = numberFieldSize(result.count) + (result.hasMore ? 2 : 0)
  for (const pair of pairs) sizeBytes += bytesFieldSize(pair.encoded.length)
  return {
    sizeBytes,
    write: (writer) => {
      for (const pair of pairs) writer.bytesField(rangeKvsTag, pair.encoded)
      writer.flagField(rangeMoreTag, result.hasMore)
      writer.numberField(rangeCountTag, result.count)
    },
  }
}

function withoutValue(pair: StoredKeyValue, form: RangeForm): { readonly encoded: Uint8Array } {
  return {
    encoded: encodeKeyValue({
      key: pair.key,
      createRevision: pair.createRevision,
      modRevision: pair.modRevision,
      version: pair.version,
      value: emptyBytes,
      lease: form.keepsLease ? pair.lease : noLease,
    }),
  }
}

function putPart(result: PutResult): MessagePart {
  const { previous } = result
  if (previous === undefined) return emptyPart
  return {
    sizeBytes: bytesFieldSize(previous.encoded.length),
    write: (writer) => {
      writer.bytesField(putPrevKvTag, previous.encoded)
    },
  }
}

function deleteRangePart(result: DeleteRangeResult): MessagePart {
  let sizeBytes = numberFieldSize(result.deletedCount)
  for (const pair of result.previous) sizeBytes += bytesFieldSize(pair.encoded.length)
  return {
    sizeBytes,
    write: (writer) => {
      writer.numberField(deleteCountTag, result.deletedCount)
      for (const pair of result.previous) writer.bytesField(deletePrevKvsTag, pair.encoded)
    },
  }
}

function txnPart(result: TxnResult, request: TxnRequest): MessagePart {
  const branch = result.hasSucceeded ? request.success : request.failure
  const operations = result.responses.map((response, position) =>
    operationPart(response, branch[position]),
  )
  let sizeBytes = result.hasSucceeded ? 2 : 0
  for (const operation of operations) sizeBytes += bytesFieldSize(operation.sizeBytes)
  return {
    sizeBytes,
    write: (writer) => {
      writer.flagField(txnSucceededTag, result.hasSucceeded)
      for (const operation of operations) {
        writer.openMessage(txnResponsesTag, operation.sizeBytes)
        operation.write(writer)
      }
    },
  }
}

/** One ResponseOp: the answer with a header that holds nothing but the revision, and in a nested txn nothing at all. */
function operationPart(result: OperationResult, request: RequestOp | undefined): MessagePart {
  const body = operationBody(result, request)
  const headerRevision = result.kind === 'txn' ? 0 : result.revision
  const headerSizeBytes = numberFieldSize(headerRevision)
  const messageSizeBytes = bytesFieldSize(headerSizeBytes) + body.sizeBytes
  return {
    sizeBytes: bytesFieldSize(messageSizeBytes),
    write: (writer) => {
      writer.openMessage(operationTags[result.kind], messageSizeBytes)
      writer.openMessage(headerTag, headerSizeBytes)
      writer.numberField(headerRevisionTag, headerRevision)
      body.write(writer)
    },
  }
}

function operationBody(result: OperationResult, request: RequestOp | undefined): MessagePart {
  const asked = request?.request
  switch (result.kind) {
    case 'range':
      return rangePart(
        result,
        asked?.$case === 'requestRange' ? rangeFormOf(asked.value) : { keepsLease: false },
      )
    case 'put':
      return putPart(result)
    case 'deleteRange':
      return deleteRangePart(result)
    case 'txn':
      return txnPart(
        result,
        asked?.$case === 'requestTxn' ? asked.value : { compare: [], success: [], failure: [] },
      )
  }
}
