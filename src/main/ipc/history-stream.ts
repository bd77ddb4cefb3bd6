/** The past of a key as a stream for the page: all of it once, then how far compactions take it away. */

import type { Disposable } from '../../core/base/disposable.ts'
import type { HistoryChange } from '../../core/client/key-replay.ts'
import { StoreError } from '../../core/errors/store-error.ts'
import type { HistoryColumns, HistoryItem, HistoryRequest } from '../../preload/contract/history.ts'
import { historyColumnsOf, type HistoryRow } from '../../preload/contract/history-columns.ts'
import type { Connection } from '../connections/connection.ts'
import { bridgeErrorOf } from './bridge-error.ts'
import { cutValue } from './key-conversion.ts'
import type { StreamPolicy, StreamSink } from './stream-hub.ts'

/** How often a cluster is asked whether something was compacted while a history is open. */
const compactionIntervalMs = 3_000
/** The fixed columns of a change. */
const rowOverheadBytes = 45

/** Batches are counted by what they hold. */
export const historyPolicy: StreamPolicy<HistoryItem> = {
  sizeBytesOf: (item) =>
    item.kind === 'changes'
      ? item.columns.headBytes.length + item.columns.rowCount * rowOverheadBytes
      : 0,
}

/** Begins to deliver. Disposing ends every call behind it. */
export function openHistory(
  connection: Connection,
  request: HistoryRequest,
  sink: StreamSink<HistoryItem>,
): Disposable {
  const abort = new AbortController()
  deliver(connection, request, sink, abort.signal).catch((error: unknown) => {
    if (!abort.signal.aborted) sink.end(bridgeErrorOf(error))
  })
  return {
    dispose: () => {
      abort.abort()
    },
  }
}

async function deliver(
  connection: Connection,
  request: HistoryRequest,
  sink: StreamSink<HistoryItem>,
  signal: AbortSignal,
): Promise<void> {
  const { client } = connection
  const { key, headBytesMax } = request
  const tellCompacted = (revision: number): void => {
    sink.push({ kind: 'compacted', revision })
  }
  const end = await client.history(
    key,
    { signal },
    {
      onChanges: (changes) => {
        sink.push({ kind: 'changes', columns: columnsOf(changes, headBytesMax) })
      },
      onCompacted: tellCompacted,
    },
  )
  const { headRevision, compactedRevision, refusal } = end
  const because = refusal === undefined ? {} : { refusal: bridgeErrorOf(refusal) }
  sink.push({ kind: 'finished', headRevision, ...because })
  await follow(connection, key, { compactedRevision, signal }, tellCompacted)
}

/** Goes on through lost connections: the history that was delivered stays as good as it was. */
async function follow(
  connection: Connection,
  key: Uint8Array,
  options: { readonly compactedRevision: number; readonly signal: AbortSignal },
  onCompacted: (revision: number) => void,
): Promise<void> {
  const { signal } = options
  let { compactedRevision } = options
  for (;;) {
    try {
      await connection.client.followCompaction(
        key,
        { compactedRevision, signal, intervalMs: compactionIntervalMs },
        (revision) => {
          compactedRevision = revision
          onCompacted(revision)
        },
      )
    } catch (error) {
      if (signal.aborted) return
      // Answers of a cluster in trouble, or a right that was taken away; the next question comes after a pause.
      if (!(error instanceof StoreError)) throw error
    }
  }
}

function columnsOf(changes: readonly HistoryChange[], headBytesMax: number): HistoryColumns {
  return historyColumnsOf(
    changes.map((change): HistoryRow => {
      if (change.kind === 'delete') return change
      const { createRevision, version, lease, value } = change.pair
      return {
        kind: 'put',
        revision: change.revision,
        ...{ createRevision, version, lease },
        head: cutValue(value, headBytesMax),
        valueSizeBytes: value.length,
      }
    }),
  )
}
