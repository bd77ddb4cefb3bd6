/**
 * Reads the requests of the KV service.
 *
 * Nearly every message of a store is one of these, and of plain shape: known fields, each at most once where it holds a
 * message. Such messages are read here in one pass. Anything else, wrong or merely unusual, is left to the generated
 * codecs, so that there is one place that decides what it means.
 */
import { ByteReader, MalformedMessage } from './byte-reader.ts'
import {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
  type Compare,
  type RequestOp,
} from './gen/rpc.ts'

/** Decoders for requests; byte fields share memory with the message. They throw what the generated ones throw. */
export const kvRequestCodecs = {
  range: { decode: (bytes: Uint8Array) => decodeWith(readRange, RangeRequest, bytes) },
  put: { decode: (bytes: Uint8Array) => decodeWith(readPut, PutRequest, bytes) },
  deleteRange: {
    decode: (bytes: Uint8Array) => decodeWith(readDeleteRange, DeleteRangeRequest, bytes),
  },
  txn: { decode: decodeTxn },
} as const

/** Of transactions of plain shape, the bytes that they were read from. */
const wireForms = new WeakMap<TxnRequest, Uint8Array>()

/**
 * The bytes that a transaction was read from: to be written on as they are. Undefined when it comes from elsewhere, or was
 * not of plain shape.
 */
export function wireFormOf(request: TxnRequest): Uint8Array | undefined {
  return wireForms.get(request)
}

function decodeTxn(bytes: Uint8Array): TxnRequest {
  const plain = readPlain(readTxn, bytes)
  if (plain === undefined) return TxnRequest.decode(bytes)
  wireForms.set(plain, bytes)
  return plain
}

/** Reads a message to the reader's end; undefined when it is not of plain shape. */
type PlainReader<Message> = (reader: ByteReader) => Message | undefined

function decodeWith<Message>(
  read: PlainReader<Message>,
  generated: { decode(bytes: Uint8Array): Message },
  bytes: Uint8Array,
): Message {
  return readPlain(read, bytes) ?? generated.decode(bytes)
}

function readPlain<Message>(read: PlainReader<Message>, bytes: Uint8Array): Message | undefined {
  try {
    return read(new ByteReader(bytes))
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    return undefined
  }
}

const noBytes = new Uint8Array(0)
/** Transactions within transactions that are read here. */
const plainDepthMax = 8

function readRange(reader: ByteReader): RangeRequest | undefined {
  const request: RangeRequest = {
    key: noBytes,
    rangeEnd: noBytes,
    limit: 0n,
    revision: 0n,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0n,
    maxModRevision: 0n,
    minCreateRevision: 0n,
    maxCreateRevision: 0n,
  }
  while (!reader.isAtEnd()) {
    switch (reader.tag()) {
      case 10:
        request.key = reader.bytes()
        break
      case 18:
        request.rangeEnd = reader.bytes()
        break
      case 24:
        request.limit = signed(reader)
        break
      case 32:
        request.revision = signed(reader)
        break
      case 40: {
        const order = reader.number()
        if (order !== 0 && order !== 1 && order !== 2) return undefined
        request.sortOrder = order
        break
      }
      case 48: {
        const target = reader.number()
        if (target !== 0 && target !== 1 && target !== 2 && target !== 3 && target !== 4) {
          return undefined
        }
        request.sortTarget = target
        break
      }
      case 56:
        request.serializable = reader.number() !== 0
        break
      case 64:
        request.keysOnly = reader.number() !== 0
        break
      case 72:
        request.countOnly = reader.number() !== 0
        break
      default:
        return undefined
    }
  }
  return request
}

function readPut(reader: ByteReader): PutRequest | undefined {
  const request: PutRequest = {
    key: noBytes,
    value: noBytes,
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  }
  while (!reader.isAtEnd()) {
    switch (reader.tag()) {
      case 10:
        request.key = reader.bytes()
        break
      case 18:
        request.value = reader.bytes()
        break
      case 24:
        request.lease = signed(reader)
        break
      case 32:
        request.prevKv = reader.number() !== 0
        break
      case 40:
        request.ignoreValue = reader.number() !== 0
        break
      case 48:
        request.ignoreLease = reader.number() !== 0
        break
      default:
        return undefined
    }
  }
  return request
}

function readDeleteRange(reader: ByteReader): DeleteRangeRequest | undefined {
  const request: DeleteRangeRequest = { key: noBytes, rangeEnd: noBytes, prevKv: false }
  while (!reader.isAtEnd()) {
    switch (reader.tag()) {
      case 10:
        request.key = reader.bytes()
        break
      case 18:
        request.rangeEnd = reader.bytes()
        break
      case 24:
        request.prevKv = reader.number() !== 0
        break
      default:
        return undefined
    }
  }
  return request
}

function readTxn(reader: ByteReader): TxnRequest | undefined {
  return readNestedTxn(reader, 0)
}

function readNestedTxn(reader: ByteReader, depth: number): TxnRequest | undefined {
  if (depth > plainDepthMax) return undefined
  const request: TxnRequest = { compare: [], success: [], failure: [] }
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === 10) {
      const compare = readCompare(reader.message())
      if (compare === undefined) return undefined
      request.compare.push(compare)
      continue
    }
    if (tag !== 18 && tag !== 26) return undefined
    const operation = readOperation(reader.message(), depth)
    if (operation === undefined) return undefined
    if (tag === 18) request.success.push(operation)
    else request.failure.push(operation)
  }
  return request
}

/** An operation of exactly one kind; two would have to be merged, or the later one taken. */
function readOperation(reader: ByteReader, depth: number): RequestOp | undefined {
  if (reader.isAtEnd()) return undefined
  const tag = reader.tag()
  const body = reader.message()
  if (!reader.isAtEnd()) return undefined
  switch (tag) {
    case 10: {
      const value = readRange(body)
      return value && { request: { $case: 'requestRange', value } }
    }
    case 18: {
      const value = readPut(body)
      return value && { request: { $case: 'requestPut', value } }
    }
    case 26: {
      const value = readDeleteRange(body)
      return value && { request: { $case: 'requestDeleteRange', value } }
    }
    case 34: {
      const value = readNestedTxn(body, depth + 1)
      return value && { request: { $case: 'requestTxn', value } }
    }
    default:
      return undefined
  }
}

function readCompare(reader: ByteReader): Compare | undefined {
  const compare: Compare = {
    result: 0,
    target: 0,
    key: noBytes,
    targetUnion: undefined,
    rangeEnd: noBytes,
  }
  while (!reader.isAtEnd()) {
    switch (reader.tag()) {
      case 8: {
        const result = reader.number()
        if (result !== 0 && result !== 1 && result !== 2 && result !== 3) return undefined
        compare.result = result
        break
      }
      case 16: {
        const target = reader.number()
        if (target !== 0 && target !== 1 && target !== 2 && target !== 3 && target !== 4) {
          return undefined
        }
        compare.target = target
        break
      }
      case 26:
        compare.key = reader.bytes()
        break
      case 32:
        compare.targetUnion = { $case: 'version', value: signed(reader) }
        break
      case 40:
        compare.targetUnion = { $case: 'createRevision', value: signed(reader) }
        break
      case 48:
        compare.targetUnion = { $case: 'modRevision', value: signed(reader) }
        break
      case 58:
        compare.targetUnion = { $case: 'value', value: reader.bytes() }
        break
      case 64:
        compare.targetUnion = { $case: 'lease', value: signed(reader) }
        break
      case 514:
        compare.rangeEnd = reader.bytes()
        break
      default:
        return undefined
    }
  }
  return compare
}

function signed(reader: ByteReader): bigint {
  return BigInt.asIntN(64, reader.bits64())
}
