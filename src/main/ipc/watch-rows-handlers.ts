/** Watches whose changes cross as columns, filtered by patterns on the way. */

import { streamChannels } from '../../preload/contract/channels.ts'
import { patternTestOf } from '../../preload/contract/key-match.ts'
import { watchColumnsOf } from '../../preload/contract/watch-columns.ts'
import {
  watchRowsRequestSchema,
  type WatchChange,
  type WatchItem,
  type WatchRowsItem,
  type WatchRowsRequest,
} from '../../preload/contract/watch.ts'
import type { RunningWatch, WatchEvent } from '../../core/client/watch-client.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import type { IpcRouter } from './ipc-router.ts'
import { endingWith, openWatch, watchPolicy } from './stream-handlers.ts'
import type { StreamPolicy } from './stream-hub.ts'

/** Columns cross in a fraction of the time of as many objects, so a batch may hold more of them. */
const batchChangesMax = 4_000
/** A pane shows what is this busy a few times a second. */
const busyIntervalMs = 75

export function registerWatchRowsHandlers(
  router: IpcRouter,
  parts: { readonly connections: ConnectionManager },
): void {
  const { connections } = parts
  const watches = new WeakMap<WatchRowsRequest, RunningWatch>()
  router.stream<WatchRowsRequest, WatchItem>(streamChannels.watchOpenRows, watchRowsRequestSchema, {
    policyOf: (request): StreamPolicy<WatchItem> => ({
      ...watchPolicy(() => watches.get(request)),
      batchItemsMax: batchChangesMax,
      busyIntervalMs,
      pack: packRows,
    }),
    begin: (request, sink) => {
      const connection = connections.get(request.connectionId)
      const watch = openWatch(connection, request, { sink, isWanted: matcherOf(request) })
      watches.set(request, watch)
      return endingWith(connections, request.connectionId, sink, watch)
    },
  })
}

/** Changes that follow each other become columns; what stands between them stays where it is. */
function packRows(items: readonly WatchItem[]): readonly WatchRowsItem[] {
  const packed: WatchRowsItem[] = []
  let changes: WatchChange[] = []
  const close = (): void => {
    if (changes.length > 0) packed.push({ kind: 'rows', columns: watchColumnsOf(changes) })
    changes = []
  }
  for (const item of items) {
    if (item.kind === 'change') {
      changes.push(item.change)
    } else {
      close()
      packed.push(item)
    }
  }
  close()
  return packed
}

function matcherOf(request: WatchRowsRequest): ((event: WatchEvent) => boolean) | undefined {
  const { keyPattern, valuePattern } = request
  if (keyPattern === undefined && valuePattern === undefined) return undefined
  const everything = (): boolean => true
  const keys = keyPattern === undefined ? everything : patternTestOf(keyPattern)
  const values = valuePattern === undefined ? everything : patternTestOf(valuePattern)
  return (event) => {
    const { value } = event.kind === 'put' ? event.pair : (event.previous ?? event.pair)
    return keys(event.pair.key) && values(value)
  }
}
