/**
 * Requests as bytes for load generators that know nothing of protocol buffers: one length-prefixed gRPC message each. Field
 * numbers are those of etcdserverpb.
 */

export const paths = {
  put: '/etcdserverpb.KV/Put',
  range: '/etcdserverpb.KV/Range',
  deleteRange: '/etcdserverpb.KV/DeleteRange',
  txn: '/etcdserverpb.KV/Txn',
  compact: '/etcdserverpb.KV/Compact',
  watch: '/etcdserverpb.Watch/Watch',
  status: '/etcdserverpb.Maintenance/Status',
  defragment: '/etcdserverpb.Maintenance/Defragment',
}

function varint(value) {
  const bytes = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest & 127) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}

function bytesField(number, bytes) {
  const content = Buffer.from(bytes)
  return Buffer.concat([varint((number << 3) | 2), varint(content.length), content])
}

const numberField = (number, value) => Buffer.concat([varint(number << 3), varint(value)])

/** The five-byte prefix (not compressed, length) and the message. */
function frame(message) {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

const putMessage = (key, value) => Buffer.concat([bytesField(1, key), bytesField(2, value)])

/** A request without fields. */
export const emptyBody = () => frame(Buffer.alloc(0))

/** etcdserverpb.PutRequest. */
export const putBody = (key, value) => frame(putMessage(key, value))

/** etcdserverpb.RangeRequest for one key or, with `rangeEnd`, for a range. A `revision` takes five bytes, whatever it is. */
export function rangeBody(key, options = {}) {
  const parts = [bytesField(1, key)]
  if (options.rangeEnd !== undefined) parts.push(bytesField(2, options.rangeEnd))
  if (options.limit > 0) parts.push(numberField(3, options.limit))
  if (options.isSerializable) parts.push(numberField(7, 1))
  if (options.isCountOnly) parts.push(numberField(9, 1))
  if (options.revision !== undefined)
    parts.push(Buffer.from([4 << 3]), wideVarint(options.revision))
  return frame(Buffer.concat(parts))
}

/** etcdserverpb.DeleteRangeRequest. */
export const deleteRangeBody = (key, rangeEnd) =>
  frame(Buffer.concat([bytesField(1, key), bytesField(2, rangeEnd)]))

/** A number of up to 35 bits in exactly five bytes, so that it can be overwritten in place. */
export function wideVarint(value) {
  const bytes = Buffer.alloc(5)
  writeWideVarint(bytes, 0, value)
  return bytes
}

/** Overwrites five bytes by a number of up to 35 bits. */
export function writeWideVarint(bytes, offset, value) {
  let rest = value
  for (let index = 0; index < 4; index++) {
    bytes[offset + index] = (rest & 127) | 128
    rest = Math.floor(rest / 128)
  }
  bytes[offset + 4] = rest & 127
}

/** etcdserverpb.TxnRequest without conditions that puts every key to the same value. */
export function txnOfPutsBody(keys, value) {
  const operations = keys.map((key) => bytesField(2, bytesField(2, putMessage(key, value))))
  return frame(Buffer.concat(operations))
}

/** etcdserverpb.CompactionRequest. A physical one is answered when the data is gone. */
export function compactBody(revision, { isPhysical = false } = {}) {
  const parts = [numberField(1, revision)]
  if (isPhysical) parts.push(numberField(2, 1))
  return frame(Buffer.concat(parts))
}

/** etcdserverpb.WatchRequest that creates one watcher. */
export function watchCreateBody(key, rangeEnd) {
  const parts = [bytesField(1, key)]
  if (rangeEnd !== undefined) parts.push(bytesField(2, rangeEnd))
  return frame(bytesField(1, Buffer.concat(parts)))
}

/** Reads one varint at `state.offset` and moves on; exact up to 2^53. */
function readVarint(bytes, state) {
  let value = 0
  let scale = 1
  for (;;) {
    const byte = bytes[state.offset++]
    value += (byte & 127) * scale
    if (byte < 128) return value
    scale *= 128
  }
}

/**
 * Calls `visit(fieldNumber, value, start, end)` for each field of one message: `value` of a number, `start` and `end` of bytes.
 */
export function forEachField(bytes, { start, end }, visit) {
  const state = { offset: start }
  while (state.offset < end) {
    const tag = readVarint(bytes, state)
    const [number, wireType] = [tag >>> 3, tag & 7]
    if (wireType === 0) visit(number, readVarint(bytes, state), 0, 0)
    else if (wireType === 2) {
      const length = readVarint(bytes, state)
      visit(number, 0, state.offset, state.offset + length)
      state.offset += length
    } else throw new Error(`wire type ${wireType} is not expected`)
  }
}

/** The numbers among the fields of a message by field number, and of the nested message `nested` under its own numbers. */
export function numberFields(bytes, range = { start: 0, end: bytes.length }) {
  const numbers = new Map()
  forEachField(bytes, range, (number, value, start, end) => {
    if (end === 0) numbers.set(number, value)
    else numbers.set(number, { start, end })
  })
  return numbers
}
