/**
 * KV.RangeStream: a range in pieces, all of one revision.
 *
 * The first piece has at most ten pairs; each following one twice as many as long as pieces stay small, half as many when
 * they become large. What is true of the whole answer (header, count, whether there is more) stands in the last piece, so
 * that all pieces merged are the answer of Range. Source: etcd v3 API, RangeStream.
 */
import { failpointPause } from '../base/failpoints.ts'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { emptyBytes, concatBytes } from '../base/bytes.ts'
import { noLease } from '../base/ids.ts'
import { encodeKeyValue, type RangeResult } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
  RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  ResponseHeader,
} from '../proto/gen/rpc.ts'
import { identifyCaller } from './access-guard.ts'
import { decodeStreamMessage, streamMethod } from './method.ts'
import { checkRange } from './request-validation.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { RpcMethod, StreamCall } from './rpc-call.ts'
import { StreamRoom } from './stream-room.ts'
import { isFatal, okStatus, statusOfError, WireError } from './status-mapping.ts'
import { frameMessage } from './wire-writer.ts'

const firstPairCountMax = 10
/** Behind a key, the first that is greater. */
const nextKeySuffix = Uint8Array.of(0)

export interface RangeStreamOptions {
  /** A piece should have about this size. */
  readonly requestSizeBytesMax: number
}

/** The method `RangeStream` of `etcdserverpb.KV`. */
export function rangeStreamMethod(
  node: StoreNode,
  headers: ResponseHeaders,
  options: RangeStreamOptions,
): RpcMethod {
  return streamMethod((call) => {
    let hasBegun = false
    call.read(
      (message) => {
        if (hasBegun) return
        hasBegun = true
        // The message may lie in memory that the next read of the socket overwrites.
        void serve({ node, headers, options, call }, message.slice())
      },
      () => undefined,
    )
  })
}

interface RangeStream {
  readonly node: StoreNode
  readonly headers: ResponseHeaders
  readonly options: RangeStreamOptions
  readonly call: StreamCall
}

async function serve(stream: RangeStream, message: Uint8Array): Promise<void> {
  const { node, call } = stream
  try {
    const request = decodeStreamMessage(RangeRequest, message)
    checkRange(request)
    refuseUnsupported(request)
    call.requester = await identifyCaller(node, call)
    await sendPieces(stream, request)
    call.end(okStatus)
  } catch (error) {
    call.end(statusOfError(error))
    // A bug or damaged data: nobody catches it, and the process ends.
    if (isFatal(error)) throw error
  }
}

/** @throws WireError  with etcd's texts */
function refuseUnsupported(request: RangeRequest): void {
  const { sortOrder, sortTarget } = request
  const isByKey =
    sortOrder === RangeRequest_SortOrder.NONE ||
    (sortOrder === RangeRequest_SortOrder.ASCEND && sortTarget === RangeRequest_SortTarget.KEY)
  if (!isByKey) {
    throw new WireError('unimplemented', 'RangeStream does not support custom sort orders')
  }
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request
  const filters = [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision]
  if (filters.some((filter) => filter !== 0n)) {
    throw new WireError('unimplemented', 'RangeStream does not support revision filters')
  }
}

async function sendPieces(stream: RangeStream, request: RangeRequest): Promise<void> {
  const { node, headers, options, call } = stream
  const room = new StreamRoom(call, options.requestSizeBytesMax)
  let asked: RangeRequest = { ...request }
  let pairCountMax = firstPairCountMax
  let sentCount = 0
  for (;;) {
    await failpointPause('beforeRangeStreamChunk')
    const left = request.limit > 0n ? Number(request.limit) - sentCount : Infinity
    const limit = BigInt(Math.min(pairCountMax, left))
    const result = await node.range({ ...asked, limit }, { cancellation: call })
    const pairCount = result.keyValues.length
    const last = result.keyValues.at(-1)
    if (!result.hasMore || last === undefined || pairCount >= left) {
      const whole = { ...result, count: sentCount + result.count }
      call.send(frameMessage(pieceOf(whole, headers.message(result.revision))))
      return
    }
    const piece = pieceOf(result, undefined)
    call.send(frameMessage(piece))
    await room.wait()
    if (call.hasEnded) return
    sentCount += pairCount
    if (piece.length < options.requestSizeBytesMax / 2) pairCountMax *= 2
    else if (piece.length > options.requestSizeBytesMax * 2) {
      pairCountMax = Math.max(1, Math.floor(pairCountMax / 2))
    }
    asked = {
      ...request,
      key: concatBytes([last.key, nextKeySuffix]),
      // What was confirmed once for a revision holds for it.
      revision: asked.revision > 0n ? asked.revision : BigInt(result.revision),
      serializable: true,
    }
  }
}

// Tags: field number << 3 | wire type, of RangeStreamResponse and RangeResponse.
const responseTag = 0x0a
const headerTag = 0x0a
const kvsTag = 0x12
const moreTag = 0x18
const countTag = 0x20

/** @param header  of the last piece; undefined: there are further ones */
function pieceOf(result: RangeResult, header: ResponseHeader | undefined): Uint8Array {
  const writer = new BinaryWriter()
  writer.uint32(responseTag).fork()
  if (header !== undefined) {
    writer.uint32(headerTag).bytes(ResponseHeader.encode(header).finish())
  }
  for (const pair of result.keyValues) {
    const encoded = result.isKeysOnly
      ? encodeKeyValue({ ...fieldsOf(pair), value: emptyBytes, lease: noLease })
      : pair.encoded
    writer.uint32(kvsTag).bytes(encoded)
  }
  if (header !== undefined) {
    if (result.hasMore) writer.uint32(moreTag).bool(true)
    if (result.count > 0) writer.uint32(countTag).int64(result.count)
  }
  return writer.join().finish()
}

type StoredPair = RangeResult['keyValues'][number]

function fieldsOf({ key, createRevision, modRevision, version }: StoredPair) {
  return { key, createRevision, modRevision, version }
}
