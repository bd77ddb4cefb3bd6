/** Streams of a connection: changes of keys, the past of a key, the state of a cluster. */

import type { Clock } from '../../core/base/clock.ts'
import { Disposables, type Disposable } from '../../core/base/disposable.ts'
import type { KeyValue } from '../../core/client/key-value.ts'
import type { RunningWatch, WatchEvent } from '../../core/client/watch-client.ts'
import { callChannels, streamChannels } from '../../preload/contract/channels.ts'
import {
  observeClusterRequestSchema,
  type ClusterItem,
  type ClusterSnapshot,
} from '../../preload/contract/cluster.ts'
import {
  historyRequestSchema,
  type HistoryItem,
  type HistoryRequest,
} from '../../preload/contract/history.ts'
import { connectionRequestSchema } from '../../preload/contract/primitives.ts'
import {
  watchRequestSchema,
  type WatchChange,
  type WatchedValue,
  type WatchItem,
  type WatchRequest,
} from '../../preload/contract/watch.ts'
import { ClusterObserver } from '../connections/cluster-observer.ts'
import type { Connection } from '../connections/connection.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import { HostError } from '../host-error.ts'
import { bridgeErrorOf } from './bridge-error.ts'
import { historyPolicy, openHistory } from './history-stream.ts'
import type { IpcRouter } from './ipc-router.ts'
import { cutValue, intervalOf } from './key-conversion.ts'
import type { StreamPolicy, StreamSink } from './stream-hub.ts'

export function registerStreamHandlers(
  router: IpcRouter,
  parts: { readonly clock: Clock; readonly connections: ConnectionManager },
): void {
  const { clock, connections } = parts
  // The watch of a stream is known only after its policy; the pressure callback finds it here.
  const watches = new WeakMap<WatchRequest, RunningWatch>()
  router.stream<WatchRequest, WatchItem>(streamChannels.watchOpen, watchRequestSchema, {
    policyOf: (request) => watchPolicy(() => watches.get(request)),
    begin: (request, sink) => {
      const watch = openWatch(connections.get(request.connectionId), request, { sink })
      watches.set(request, watch)
      return endingWith(connections, request.connectionId, sink, watch)
    },
  })
  router.stream<HistoryRequest, HistoryItem>(streamChannels.historyOpen, historyRequestSchema, {
    policyOf: () => historyPolicy,
    begin: (request, sink) => {
      const history = openHistory(connections.get(request.connectionId), request, sink)
      return endingWith(connections, request.connectionId, sink, history)
    },
  })
  router.stream(streamChannels.clusterObserve, observeClusterRequestSchema, {
    policyOf: (): StreamPolicy<ClusterItem> => ({ keepsNewestOnly: true }),
    begin: (request, sink: StreamSink<ClusterItem>) => {
      const observer = new ClusterObserver(clock, connections.get(request.connectionId), {
        intervalMs: request.intervalMs,
        onItem: sink.push,
      })
      return endingWith(connections, request.connectionId, sink, observer)
    },
  })
  router.call(callChannels.clusterSnapshot, connectionRequestSchema, (request) =>
    observeOnce(clock, connections.get(request.connectionId)),
  )
}

/** A stream ends with its connection, saying why. */
export function endingWith<Item>(
  connections: ConnectionManager,
  connectionId: string,
  sink: StreamSink<Item>,
  source: Disposable,
): Disposable {
  const owned = new Disposables()
  owned.add(source)
  owned.add(
    connections.onceClosed(connectionId, () => {
      owned.dispose()
      sink.end(bridgeErrorOf(new HostError('unknownConnection', 'The connection was closed')))
    }),
  )
  return owned
}

/** How a stream of changes behaves under load: what waits too long here waits at the server instead. */
export function watchPolicy(findWatch: () => RunningWatch | undefined): StreamPolicy<WatchItem> {
  return {
    sizeBytesOf: (item) =>
      item.kind === 'change'
        ? item.change.key.length +
          (item.change.current?.bytes.length ?? 0) +
          (item.change.previous?.bytes.length ?? 0)
        : 0,
    onPressure: (isHigh) => {
      if (isHigh) findWatch()?.pause()
      else findWatch()?.resume()
    },
    droppedItem: (changeCount) => ({ kind: 'dropped', changeCount }),
  }
}

/**
 * Begins a watch that pushes what it delivers.
 *
 * @param parts  where to, and which changes are wanted; without `isWanted`: all
 */
export function openWatch(
  connection: Connection,
  request: WatchRequest,
  parts: { readonly sink: StreamSink<WatchItem>; readonly isWanted?: WatchFilter | undefined },
): RunningWatch {
  const { sink, isWanted } = parts
  const interval = intervalOf(request.range)
  // What a watch delivers while it catches up was made earlier, nobody knows when.
  let isBehind = false
  return connection.client.watch.open(
    {
      interval,
      startRevision: request.startRevision,
      needsPrevious: request.hasPrevious,
      isWithoutPuts: request.isWithoutPuts,
      isWithoutDeletes: request.isWithoutDeletes,
    },
    {
      onStarted: ({ startRevision, endpoint, isResumed }) => {
        sink.push({ kind: isResumed ? 'resumed' : 'started', startRevision, endpoint })
      },
      onEvents: (events) => {
        const newest = events.at(-1)
        if (newest === undefined) return
        const wanted = isWanted === undefined ? events : events.filter(isWanted)
        for (const event of wanted) {
          const change = changeOf(event, request.valueBytesMax)
          const last = event === newest ? { completesRevision: true as const } : {}
          sink.push({ kind: 'change', change: { ...change, ...last } })
        }
        const revision = newest.pair.modRevision
        if (!isBehind) connection.noteLive(events.map(({ pair }) => pair.modRevision))
        connection.noteRevision(revision)
        // What was filtered out was looked at all the same: the page learns how far its rows are complete.
        if (wanted.at(-1) !== newest) sink.push({ kind: 'progress', revision })
      },
      onProgress: ({ revision, isProven }) => {
        if (!isProven) return
        isBehind = false
        sink.push({ kind: 'progress', revision })
      },
      onInterrupted: (reason) => {
        isBehind = true
        sink.push({ kind: 'interrupted', reason })
      },
      onGap: (gap) => {
        sink.push({ kind: 'gap', ...gap })
      },
      onRefused: (error) => {
        sink.end(bridgeErrorOf(error))
      },
    },
  )
}

type WatchFilter = (event: WatchEvent) => boolean

function changeOf(event: WatchEvent, valueBytesMax: number): WatchChange {
  return {
    kind: event.kind,
    key: new Uint8Array(event.pair.key),
    revision: event.pair.modRevision,
    ...(event.kind === 'put' ? { current: watchedValueOf(event.pair, valueBytesMax) } : {}),
    ...(event.previous === undefined
      ? {}
      : { previous: watchedValueOf(event.previous, valueBytesMax) }),
  }
}

function watchedValueOf(pair: KeyValue, valueBytesMax: number): WatchedValue {
  return {
    bytes: cutValue(pair.value, valueBytesMax),
    sizeBytes: pair.value.length,
    createRevision: pair.createRevision,
    modRevision: pair.modRevision,
    version: pair.version,
    lease: pair.lease,
  }
}

/** One picture of the cluster. */
function observeOnce(clock: Clock, connection: Connection): Promise<ClusterSnapshot> {
  return new Promise((resolve, reject) => {
    const observer = new ClusterObserver(clock, connection, {
      // Disposed after the first round, so no second one follows.
      intervalMs: 60_000,
      onItem: (item) => {
        observer.dispose()
        if (item.kind === 'snapshot') resolve(item.snapshot)
        else
          reject(new HostError('unknownConnection', `The members cannot be listed: ${item.reason}`))
      },
    })
  })
}
