/**
 * Bytes of `etcdserverpb.PutRequest`, written by hand, because every put passes here. The generated codec makes a writer,
 * a list of pieces and a buffer for each message.
 */
import { type ByteWriter, varint64Size, varintSize } from './byte-writer.ts'
import type { PutRequest } from './gen/rpc.ts'

/** Bytes that {@link writePutRequest} will write. */
export function putRequestSize(request: PutRequest): number {
  const keySize = request.key.length
  const valueSize = request.value.length
  let size = keySize === 0 ? 0 : 1 + varintSize(keySize) + keySize
  if (valueSize > 0) size += 1 + varintSize(valueSize) + valueSize
  if (request.lease !== 0n) size += 1 + varint64Size(request.lease)
  if (request.prevKv) size += 2
  if (request.ignoreValue) size += 2
  if (request.ignoreLease) size += 2
  return size
}

/** Appends the fields in the order of their numbers, those at their default left out, as every proto3 encoder does. */
export function writePutRequest(writer: ByteWriter, request: PutRequest): void {
  writeBytes(writer, 0x0a, request.key)
  writeBytes(writer, 0x12, request.value)
  if (request.lease !== 0n) {
    writer.byte(0x18)
    writer.varint64(request.lease)
  }
  writeTrue(writer, 0x20, request.prevKv)
  writeTrue(writer, 0x28, request.ignoreValue)
  writeTrue(writer, 0x30, request.ignoreLease)
}

function writeBytes(writer: ByteWriter, tag: number, value: Uint8Array): void {
  if (value.length === 0) return
  writer.byte(tag)
  writer.varint(value.length)
  writer.bytes(value)
}

function writeTrue(writer: ByteWriter, tag: number, value: boolean): void {
  if (!value) return
  writer.byte(tag)
  writer.byte(1)
}
