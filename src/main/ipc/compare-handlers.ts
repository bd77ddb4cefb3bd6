/** Compares two ranges of keys for the page; see `preload/contract/compare.ts`. */

import type { Clock } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import { streamChannels } from '../../preload/contract/channels.ts'
import {
  compareRequestSchema,
  type CompareItem,
  type CompareRequest,
} from '../../preload/contract/compare.ts'
import { clientSource } from '../compare/client-source.ts'
import type { CompareSource } from '../compare/compare-source.ts'
import { compare } from '../compare/comparison.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import { bridgeErrorOf } from './bridge-error.ts'
import type { IpcRouter } from './ipc-router.ts'
import { intervalOf } from './key-conversion.ts'
import { endingWith } from './stream-handlers.ts'
import type { StreamSink } from './stream-hub.ts'

interface CompareHandlerParts {
  readonly clock: Clock
  readonly connections: ConnectionManager
}

/** A comparison ends with either of its connections. */
export function registerCompareHandlers(router: IpcRouter, parts: CompareHandlerParts): void {
  const { connections } = parts
  router.stream<CompareRequest, CompareItem>(streamChannels.compareOpen, compareRequestSchema, {
    policyOf: () => ({
      sizeBytesOf: (item) => (item.kind === 'rows' ? item.columns.keyBytes.length : 0),
    }),
    begin: (request, sink) => {
      const { left, right } = request
      const comparison = openComparison(parts, request, sink)
      const ending = endingWith(connections, left.connectionId, sink, comparison)
      return left.connectionId === right.connectionId
        ? ending
        : endingWith(connections, right.connectionId, sink, ending)
    },
  })
}

function openComparison(
  { clock, connections }: CompareHandlerParts,
  request: CompareRequest,
  sink: StreamSink<CompareItem>,
): Disposable {
  const abort = new AbortController()
  const sourceOf = (side: 'left' | 'right'): CompareSource =>
    clientSource({
      clock,
      connection: connections.get(request[side].connectionId),
      interval: intervalOf(request[side].range),
      side,
      signal: abort.signal,
    })
  const sources = { left: sourceOf('left'), right: sourceOf('right') }
  compare({ ...sources, push: sink.push, nowMs: () => clock.monotonicMs() }, request)
    .then(() => {
      sink.end()
    })
    .catch((error: unknown) => {
      sink.end(bridgeErrorOf(error))
    })
  return {
    dispose: () => {
      abort.abort()
    },
  }
}
