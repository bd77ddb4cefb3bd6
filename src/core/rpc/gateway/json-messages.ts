/**
 * Messages between JSON and the wire, by the rules of etcd's gateway.
 *
 * Both directions are done by the protocol buffers library from the description of the messages, so that every message has
 * the same rules: names as in the .proto files (lower camel case is taken as well), bytes as base64, 64-bit numbers as
 * text, zero values left out, unknown fields and unknown names of enumerations dropped.
 */
import {
  createFileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJsonString,
  type DescMessage,
  type FileRegistry,
  type JsonValue,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { assert } from '../../base/assert.ts'
import { fileDescriptorSetBase64 } from '../../proto/gen/descriptors.ts'
import { WireError } from '../status-mapping.ts'

/** Put together at the first use: most nodes never see a gateway request. */
let messages: FileRegistry | undefined

/** @param typeName with its package, as `etcdserverpb.PutRequest` */
export function describeMessage(typeName: string): DescMessage {
  messages ??= createFileRegistry(
    fromBinary(FileDescriptorSetSchema, Buffer.from(fileDescriptorSetBase64, 'base64')),
  )
  const message = messages.getMessage(typeName)
  assert(message !== undefined, 'a gateway route names a message that exists')
  return message
}

/**
 * One request.
 * @param text  one JSON value; nothing at all is a message without fields
 * @throws WireError `invalidArgument`, with what is wrong in the text
 */
export function messageOfJson(type: DescMessage, text: string): Uint8Array {
  try {
    const value = text.trim() === '' ? {} : (JSON.parse(withExactNumbers(text)) as JsonValue)
    return toBinary(type, fromJson(type, value, { ignoreUnknownFields: true }))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new WireError('invalidArgument', reason)
  }
}

/** One answer, on one line. */
export function jsonOfMessage(type: DescMessage, bytes: Uint8Array): string {
  return toJsonString(type, fromBinary(type, bytes), { useProtoFieldName: true })
}

/**
 * Numbers that a double cannot hold, as text, which every field for such numbers takes as well. Texts are matched too, so
 * that digits inside of them stay as they are.
 */
function withExactNumbers(text: string): string {
  if (!/[\s:[,]-?\d{16}/.test(text)) return text
  return text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d{16,}(?![\d.eE])/g, (match) =>
    match.startsWith('"') ? match : `"${match}"`,
  )
}
