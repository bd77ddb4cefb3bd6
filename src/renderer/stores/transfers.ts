/**
 * Export of keys: read page by page as of one revision, written piece by piece. However many keys there are, the page holds
 * those of one answer.
 */

import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { SavedFile } from '../../preload/contract/file.ts'
import { valueSizeBytesMax } from '../../preload/contract/limits.ts'
import { fileApi } from '../api/file-api.ts'
import { kvApi } from '../api/kv-api.ts'
import { leaseApi } from '../api/lease-api.ts'
import { textBytes } from '../format/bytes-text.ts'
import type { TransferFormat, TransferRow } from '../transfer/transfer-row.ts'
import { extensionOf, writerOf } from '../transfer/import-format.ts'
import type { ExportSubject } from './key-dialogs.ts'

/** An answer aims at this size; values of the answers before tell how many keys that is. */
const answerBytesAim = 1_048_576
const pageRowsFirst = 50
const pageRowsMax = 2_000
/** Text is handed on in pieces of about this size. */
const pieceUnits = 262_144

const noKey = new Uint8Array(0)

/** What is exported and how. */
export interface ExportRequest {
  readonly connectionId: string
  readonly subject: ExportSubject
  readonly format: TransferFormat
  readonly signal: AbortSignal
  readonly onProgress: (writtenCount: number) => void
}

/** The revision that an export reads, and how many keys it has. Throws `CallError`. */
export async function measureExport(
  connectionId: string,
  subject: ExportSubject,
): Promise<{ readonly revision: number; readonly count: number }> {
  const { revision } = subject
  const [first] = subject.kind === 'keys' ? subject.keys : []
  // Of chosen keys only the revision is to be learned: to count all keys is slow, and not everybody may.
  const range =
    subject.kind === 'range' ? subject.range : ({ kind: 'key', key: first ?? noKey } as const)
  const reply = await kvApi.count({ connectionId, range, revision })
  return {
    revision: revision === 0 ? reply.headRevision : revision,
    count: subject.kind === 'range' ? reply.count : subject.keys.length,
  }
}

/** The text of an export in pieces. Throws `CallError`, and `AbortError` when it is ended. */
export async function* exportText(
  request: ExportRequest,
  bounds: { readonly revision: number; readonly rowsMax?: number },
): AsyncGenerator<string> {
  const { format, signal, onProgress } = request
  const writer = writerOf(format)
  let piece = writer.head({ revision: bounds.revision })
  let count = 0
  for await (const row of exportRows(request, bounds.revision)) {
    signal.throwIfAborted()
    piece += writer.row(row, count)
    count++
    if (count === bounds.rowsMax) break
    if (piece.length < pieceUnits) continue
    yield piece
    piece = ''
    onProgress(count)
  }
  onProgress(count)
  yield piece + writer.tail(count)
}

/** Writes an export to a file that the user chooses; undefined: none was chosen. */
export function exportToFile(
  request: ExportRequest,
  about: { readonly revision: number; readonly name: string },
): Promise<SavedFile | undefined> {
  const extension = extensionOf(request.format)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const piece of exportText(request, about)) yield textBytes(piece)
  }
  return fileApi.saveAs({
    suggestedName: `${about.name}.${extension}`,
    filters: [{ name: extension, extensions: [extension] }],
    chunks: chunks(),
  })
}

/** Reads a file that the user chooses; undefined: none was chosen. Throws `CallError`. */
export const openFile = fileApi.open

async function* exportRows(
  { connectionId, subject }: ExportRequest,
  revision: number,
): AsyncGenerator<TransferRow> {
  const times = new Map<bigint, number>()
  const leftOf = async (lease: bigint): Promise<number> => {
    if (lease === 0n) return 0
    const known = times.get(lease)
    if (known !== undefined) return known
    const life = await leaseApi.life(connectionId, lease)
    times.set(lease, life.remainingTtlSeconds)
    return life.remainingTtlSeconds
  }
  for await (const pair of pairsOf(connectionId, subject, revision)) {
    const { key, value, createRevision, modRevision, version } = pair
    const leaseTtlSeconds = await leftOf(pair.lease)
    yield { key, value, createRevision, modRevision, version, leaseTtlSeconds }
  }
}

interface ExportedPair extends Required<Omit<TransferRow, 'leaseTtlSeconds'>> {
  readonly lease: bigint
}

async function* pairsOf(
  connectionId: string,
  subject: ExportSubject,
  revision: number,
): AsyncGenerator<ExportedPair> {
  if (subject.kind === 'keys') {
    for (const key of subject.keys) {
      const { pair } = await kvApi.get({ connectionId, key, revision })
      if (pair !== undefined) yield pair
    }
    return
  }
  let limit = pageRowsFirst
  let after: Uint8Array | undefined
  for (;;) {
    const page = await kvApi.range({
      connectionId,
      range: subject.range,
      limit,
      revision,
      valueBytesMax: valueSizeBytesMax,
      ...(after === undefined ? {} : { after }),
    })
    for (let row = 0; row < page.columns.rowCount; row++) {
      const pair = keyRowAt(page.columns, row)
      after = Uint8Array.from(pair.key)
      yield pair
    }
    if (!page.hasMore || page.columns.rowCount === 0) return
    const rowBytes = page.columns.valueBytes.length / page.columns.rowCount
    const wanted = Math.floor(answerBytesAim / Math.max(1, rowBytes))
    limit = Math.max(1, Math.min(pageRowsMax, wanted, limit * 4))
  }
}
