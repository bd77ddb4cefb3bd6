/** A row as a record of names and plain values, the common form of JSON, JSON Lines and YAML. */

import { base64Text, findText, textBytes } from '../format/bytes-text.ts'
import type { TransferProblem, TransferRow } from './transfer-row.ts'

/** What cannot be read as a row. */
export class RowError extends Error {
  readonly reason: TransferProblem['reason']

  constructor(reason: TransferProblem['reason'], detail = '') {
    super(detail)
    this.reason = reason
  }
}

/** Names and values of a row; bytes that are no UTF-8 stand under another name, as base64. */
export function recordOf(row: TransferRow): Record<string, string | number> {
  const { createRevision, modRevision, version, leaseTtlSeconds } = row
  return {
    ...bytesRecord('key', row.key),
    ...bytesRecord('value', row.value),
    ...(createRevision === undefined ? {} : { createRevision }),
    ...(modRevision === undefined ? {} : { modRevision }),
    ...(version === undefined ? {} : { version }),
    ...(leaseTtlSeconds === undefined || leaseTtlSeconds <= 0 ? {} : { leaseTtlSeconds }),
  }
}

/**
 * The row that a record stands for. A value that is no text is written as the JSON that it is, so that files made by hand
 * may hold objects.
 *
 * @throws RowError  when a name is missing or has a value of another kind
 */
export function rowOfRecord(record: unknown): TransferRow {
  if (!isRecord(record)) throw new RowError('noKey')
  const key = bytesOf(record, 'key') ?? bytesOfText(record['key'])
  if (key === undefined) throw new RowError('noKey')
  if (key.length === 0) throw new RowError('emptyKey')
  const value = bytesOf(record, 'value') ?? bytesOfText(record['value'])
  if (value === undefined) throw new RowError('noValue')
  const ttl = record['leaseTtlSeconds'] ?? 0
  if (typeof ttl !== 'number' || !Number.isInteger(ttl) || ttl < 0 || ttl > 0x7fff_ffff) {
    throw new RowError('badLease', JSON.stringify(ttl))
  }
  return { key, value, ...(ttl === 0 ? {} : { leaseTtlSeconds: ttl }) }
}

/** Text of a value in a file made by hand; undefined for none. */
export function bytesOfText(value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string') return textBytes(value)
  return textBytes(JSON.stringify(value))
}

/** Bytes of standard base64. @throws RowError  when it is none */
export function bytesOfBase64(text: string): Uint8Array {
  let binary: string
  try {
    binary = atob(text)
  } catch (error) {
    throw new RowError('badBase64', error instanceof Error ? error.message : String(error))
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

/** True for an object with names. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function bytesRecord(name: 'key' | 'value', bytes: Uint8Array): Record<string, string> {
  const text = findText(bytes)
  return text === undefined ? { [`${name}Base64`]: base64Text(bytes) } : { [name]: text }
}

function bytesOf(
  record: Readonly<Record<string, unknown>>,
  name: 'key' | 'value',
): Uint8Array | undefined {
  const text = record[`${name}Base64`]
  if (text === undefined) return undefined
  if (typeof text !== 'string') throw new RowError('badBase64')
  return bytesOfBase64(text)
}
