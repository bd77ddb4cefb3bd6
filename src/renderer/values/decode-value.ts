/**
 * What is packed inside of a value, layer by layer: base64, gzip and zlib, tokens, stored Kubernetes objects.
 *
 * Runs in a worker. Sizes are bounded while unpacking, so that a small value cannot fill the memory.
 */

import { decodeJwt, decodeProtectedHeader } from 'jose'
import { findText } from '../format/bytes-text.ts'
import { layOutJson } from './json-layout.ts'
import { decodeStoredObject } from './kubernetes/stored-object.ts'
import { languageOf, type TextLanguage } from './text-language.ts'
import { detectValueKind, type ValueKindName } from './value-kind.ts'

/** One layer that was taken off. */
export interface DecodedLayer {
  readonly kind: 'base64' | 'gzip' | 'zlib' | 'jwt' | 'kubernetes'
  readonly fromBytes: number
  /** Size of what was inside. */
  readonly toBytes: number
}

/** What a token says about itself. Nobody checks its signature here. */
export interface TokenFacts {
  readonly algorithm: string
  readonly subject?: string
  readonly issuer?: string
  readonly issuedAtMs?: number
  readonly notBeforeMs?: number
  readonly expiresAtMs?: number
}

/** Of a stored Kubernetes object. */
export interface ObjectFacts {
  readonly apiVersion: string
  readonly kind: string
  readonly obstacle?: 'unknownKind' | 'otherEncoding' | 'damaged'
  readonly reason?: string
}

/** The outcome of taking off every layer. */
export interface DecodedValue {
  readonly layers: readonly DecodedLayer[]
  /** Kind of what is innermost. */
  readonly innerKind: ValueKindName
  /** What is innermost as text; absent when it is none. */
  readonly text?: string
  readonly language: TextLanguage
  /** What is innermost as bytes. */
  readonly bytes: Uint8Array
  readonly token?: TokenFacts
  readonly object?: ObjectFacts
  /** Why unpacking stopped early. */
  readonly obstacle?: 'tooLarge' | 'damaged'
}

/** Unpacked data ends here. */
export const unpackedBytesMax = 32 * 1024 * 1024
const layersMax = 6

/** Takes off the layers of a value. A value without any comes back as it is. */
export async function decodeValue(value: Uint8Array): Promise<DecodedValue> {
  const layers: DecodedLayer[] = []
  let bytes = value
  for (;;) {
    const { kind } = detectValueKind(bytes)
    const layerKind = layers.length < layersMax ? layerOf(kind) : undefined
    if (layerKind === 'kubernetes') return withObject(bytes, layers)
    if (layerKind === 'jwt') return withToken(bytes, layers)
    if (layerKind === undefined) return innermost({ bytes, kind, layers }, undefined)
    const inner =
      layerKind === 'base64'
        ? (base64Bytes(findText(bytes) ?? '') ?? 'damaged')
        : await unpacked(bytes, layerKind)
    if (typeof inner === 'string') return innermost({ bytes, kind, layers }, inner)
    layers.push({ kind: layerKind, fromBytes: bytes.length, toBytes: inner.length })
    bytes = inner
  }
}

function layerOf(kind: ValueKindName): DecodedLayer['kind'] | undefined {
  return kind === 'base64' ||
    kind === 'gzip' ||
    kind === 'zlib' ||
    kind === 'jwt' ||
    kind === 'kubernetes'
    ? kind
    : undefined
}

function innermost(
  found: {
    readonly bytes: Uint8Array
    readonly kind: ValueKindName
    readonly layers: readonly DecodedLayer[]
  },
  obstacle: DecodedValue['obstacle'],
): DecodedValue {
  const { bytes, kind, layers } = found
  const text = bytes.includes(0) ? undefined : findText(bytes)
  const shown = text !== undefined && kind === 'json' ? layOutJson(text) : text
  return {
    layers,
    innerKind: kind,
    language: languageOf(kind),
    bytes,
    ...(shown === undefined ? {} : { text: shown }),
    ...(obstacle === undefined ? {} : { obstacle }),
  }
}

function withObject(bytes: Uint8Array, layers: readonly DecodedLayer[]): DecodedValue {
  const { yaml, ...object } = decodeStoredObject(bytes)
  return {
    layers: [...layers, { kind: 'kubernetes', fromBytes: bytes.length, toBytes: yaml.length }],
    innerKind: 'kubernetes',
    language: 'yaml',
    bytes,
    object,
    ...(object.obstacle === 'damaged' ? {} : { text: yaml }),
  }
}

function withToken(bytes: Uint8Array, layers: readonly DecodedLayer[]): DecodedValue {
  const compact = (findText(bytes) ?? '').trim()
  const [header = '', claims = ''] = compact.split('.')
  const part = (encoded: string): string | undefined => {
    const inner = base64Bytes(encoded)
    return inner === undefined ? undefined : findText(inner)
  }
  const headerText = part(header)
  const claimsText = part(claims)
  const text = layOutJson(`{"header":${headerText ?? ''},"claims":${claimsText ?? ''}}`)
  const token = tokenFacts(compact)
  return {
    layers: [...layers, { kind: 'jwt', fromBytes: bytes.length, toBytes: text?.length ?? 0 }],
    innerKind: 'jwt',
    language: 'json',
    bytes,
    ...(token === undefined ? {} : { token }),
    ...(text === undefined ? { obstacle: 'damaged' as const } : { text }),
  }
}

function tokenFacts(compact: string): TokenFacts | undefined {
  try {
    const { alg } = decodeProtectedHeader(compact)
    const { sub, iss, iat, nbf, exp } = decodeJwt(compact)
    const atMs = <Name extends string>(
      name: Name,
      seconds: unknown,
    ): Partial<Record<Name, number>> =>
      typeof seconds === 'number' ? ({ [name]: seconds * 1000 } as Record<Name, number>) : {}
    return {
      algorithm: typeof alg === 'string' ? alg : '',
      ...(typeof sub === 'string' ? { subject: sub } : {}),
      ...(typeof iss === 'string' ? { issuer: iss } : {}),
      ...atMs('issuedAtMs', iat),
      ...atMs('notBeforeMs', nbf),
      ...atMs('expiresAtMs', exp),
    }
  } catch (error) {
    // Its parts are shown all the same; that they are no token is told by the facts that are missing.
    if (error instanceof Error) return undefined
    throw error
  }
}

/** Bytes of base64 of either alphabet, with or without padding and line ends; undefined when it is none. */
function base64Bytes(text: string): Uint8Array | undefined {
  const letters = text.replaceAll(/\s/gu, '').replaceAll('-', '+').replaceAll('_', '/')
  try {
    const latin = atob(letters.replace(/=+$/u, ''))
    return Uint8Array.from(latin, (unit) => unit.charCodeAt(0))
  } catch (error) {
    if (error instanceof DOMException) return undefined
    throw error
  }
}

async function unpacked(
  bytes: Uint8Array,
  kind: 'gzip' | 'zlib',
): Promise<Uint8Array | 'tooLarge' | 'damaged'> {
  const stream = new Blob([Uint8Array.from(bytes)])
    .stream()
    .pipeThrough(new DecompressionStream(kind === 'gzip' ? 'gzip' : 'deflate'))
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      chunks.push(value)
      sizeBytes += value.length
      if (sizeBytes > unpackedBytesMax) {
        await reader.cancel()
        return 'tooLarge'
      }
    }
  } catch (error) {
    // The only thing that can fail here is the unpacking; runtimes differ in the class of what they throw.
    if (error instanceof Error) return 'damaged'
    throw error
  }
  const whole = new Uint8Array(sizeBytes)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
