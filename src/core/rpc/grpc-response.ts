/** Header blocks and frames that every gRPC answer is made of. */
import { gzipSync } from 'node:zlib'
import type { HeaderBlock } from './http2/hpack-encoder.ts'
import type { RpcStatus } from './status-mapping.ts'

/** Begins an answer. */
export const responseFields: HeaderBlock = [
  { name: ':status', value: '200', isCommon: true },
  { name: 'content-type', value: 'application/grpc', isCommon: true },
]

/** Begins an answer whose messages are compressed. */
export const gzipResponseFields: HeaderBlock = [
  ...responseFields,
  { name: 'grpc-encoding', value: 'gzip', isCommon: true },
]

/** Ends an answer that succeeded. */
export const okTrailers: HeaderBlock = [
  { name: 'grpc-status', value: '0', isCommon: true },
  { name: 'grpc-message', value: '', isCommon: true },
]

/** The fields that tell a status. */
export function statusTrailers(status: RpcStatus): HeaderBlock {
  if (status.code === 0) return okTrailers
  return [
    { name: 'grpc-status', value: String(status.code) },
    { name: 'grpc-message', value: encodeGrpcMessage(status.message) },
  ]
}

/** Text as `grpc-message` carries it: bytes outside printable ASCII and the percent sign as %XX. */
function encodeGrpcMessage(text: string): string {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(text)) return text
  let encoded = ''
  for (const byte of Buffer.from(text, 'utf8')) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    encoded += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

/** The same frame with its message compressed and flagged so. */
export function compressFrame(frame: Uint8Array): Uint8Array {
  const compressed = gzipSync(frame.subarray(5))
  const prefix = Buffer.alloc(5)
  prefix[0] = 1
  prefix.writeUInt32BE(compressed.length, 1)
  return Buffer.concat([prefix, compressed])
}
