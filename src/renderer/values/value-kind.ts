/**
 * What a value is, as far as its bytes tell. Pure and cheap: text is looked at in its head only, and parsed as a whole
 * only below a size. Nothing here loads a library, so that lists may ask for every row.
 */

import { textFacts, type TextFacts } from './text-facts.ts'
import { textKindOf } from './text-kind.ts'

/** Kinds that are text and have a language of their own in the editor. */
export type TextKind =
  | 'json'
  | 'badJson'
  | 'yaml'
  | 'toml'
  | 'xml'
  | 'svg'
  | 'ini'
  | 'dotenv'
  | 'shell'
  | 'jwt'
  | 'base64'
  | 'plain'

/** Kinds that are not text. */
export type BinaryKind = 'gzip' | 'zlib' | 'png' | 'jpeg' | 'gif' | 'webp' | 'kubernetes' | 'binary'

/** Every kind; `empty` is a value of no bytes. */
export type ValueKindName = TextKind | BinaryKind | 'empty'

/** What a value was recognised as. */
export interface ValueKind {
  readonly kind: ValueKindName
  /** Valid UTF-8 without NUL, so that an editor may show and write it as text. */
  readonly isText: boolean
  /** What base64 holds; only for `base64`. */
  readonly inner?: ValueKind
}

/** Bytes that are looked at above the size where the whole value is decoded. */
export const wholeTextBytesMax = 8 * 1024 * 1024
/** Base64 inside of base64 is followed this deep. */
const nestingMax = 3
const kubernetesMagic = [0x6b, 0x38, 0x73, 0]

/** Recognises a value by its bytes. */
export function detectValueKind(bytes: Uint8Array): ValueKind {
  return detectNested(bytes, 0)
}

/** Whether the kind is a picture that the window may draw. */
export function isImageKind(kind: ValueKindName): kind is 'png' | 'jpeg' | 'gif' | 'webp' {
  return kind === 'png' || kind === 'jpeg' || kind === 'gif' || kind === 'webp'
}

function detectNested(bytes: Uint8Array, depth: number): ValueKind {
  if (bytes.length === 0) return { kind: 'empty', isText: true }
  const binary = findBinaryKind(bytes)
  if (binary !== undefined) return { kind: binary, isText: false }
  const facts = textFacts(bytes, wholeTextBytesMax)
  if (facts === undefined) return { kind: 'binary', isText: false }
  return detectText(facts, depth)
}

function detectText(facts: TextFacts, depth: number): ValueKind {
  const found = textKindOf(facts)
  if (found.kind !== 'base64') return { kind: found.kind, isText: true }
  const inner = depth < nestingMax ? detectNested(found.decodedHead, depth + 1) : undefined
  // Words and hexadecimal digits are made of the same letters: what means nothing once decoded is base64 only if its
  // form leaves no doubt.
  if (!found.isCertain && (inner === undefined || !isTelling(inner, found)))
    return { kind: 'plain', isText: true }
  return { kind: 'base64', isText: true, ...(inner === undefined ? {} : { inner }) }
}

/** Bytes that could not well have come about by chance. */
function isTelling(
  inner: ValueKind,
  { decodedHead, isMixed }: { readonly decodedHead: Uint8Array; readonly isMixed: boolean },
): boolean {
  if (inner.kind === 'binary' || inner.kind === 'empty') return false
  if (inner.kind !== 'plain') return true
  if (decodedHead.length < 8) return false
  const isPrintable = decodedHead.every((byte) => byte >= 0x20 || byte === 9 || byte === 10)
  // Text of other alphabets hardly comes about by chance either, but words are not to be taken for it.
  return isPrintable && (isMixed || decodedHead.every((byte) => byte < 0x7f))
}

function findBinaryKind(bytes: Uint8Array): BinaryKind | undefined {
  const [first, second, third] = bytes
  if (beginsWith(bytes, kubernetesMagic)) return 'kubernetes'
  if (first === 0x1f && second === 0x8b && third === 8) return 'gzip'
  if (beginsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'png'
  if (beginsWith(bytes, [0xff, 0xd8, 0xff])) return 'jpeg'
  if (isGif(bytes)) return 'gif'
  if (beginsWith(bytes, [0x52, 0x49, 0x46, 0x46]) && isWebp(bytes)) return 'webp'
  return isZlib(bytes) ? 'zlib' : undefined
}

function isGif(bytes: Uint8Array): boolean {
  // "GIF89a" is also text; a real one goes on with sizes and flags and is no text, or at least longer than its header.
  return (
    beginsWith(bytes, [0x47, 0x49, 0x46, 0x38]) &&
    (bytes[4] === 0x37 || bytes[4] === 0x39) &&
    bytes[5] === 0x61 &&
    bytes.length >= 14 &&
    bytes.includes(0)
  )
}

function isWebp(bytes: Uint8Array): boolean {
  return beginsWith(bytes.subarray(8), [0x57, 0x45, 0x42, 0x50]) && bytes.length >= 16
}

/** The deflate format with its two header bytes, which carry a checksum, and a body that is no text. */
function isZlib(bytes: Uint8Array): boolean {
  const [first = 0, second = 0] = bytes
  const isHeader = first === 0x78 && (first * 256 + second) % 31 === 0 && (second & 0x20) === 0
  return isHeader && bytes.length >= 8 && textFacts(bytes, 4096) === undefined
}

function beginsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, index) => bytes[index] === byte)
}
