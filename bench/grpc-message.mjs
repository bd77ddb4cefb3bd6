/** Request bodies for a load generator that knows nothing of protocol buffers: one length-prefixed gRPC message each. */

function field(number, bytes) {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
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

/** The five-byte prefix (not compressed, length) and the message. */
function frame(message) {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** etcdserverpb.PutRequest. */
export function putBody(key, value) {
  return frame(Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))]))
}

/** etcdserverpb.RangeRequest for one key or, with `rangeEnd`, for a range. */
export function rangeBody(key, { rangeEnd, isSerializable = false, limit = 0 } = {}) {
  const parts = [field(1, Buffer.from(key))]
  if (rangeEnd !== undefined) parts.push(field(2, Buffer.from(rangeEnd)))
  if (limit > 0) parts.push(varint((3 << 3) | 0), varint(limit))
  if (isSerializable) parts.push(varint((7 << 3) | 0), varint(1))
  return frame(Buffer.concat(parts))
}
