/** A range of keys of an open connection as a side of a comparison. */

import type { Clock } from '../../core/base/clock.ts'
import { compareBytes, equalBytes } from '../../core/base/bytes.ts'
import { StoreError } from '../../core/errors/store-error.ts'
import type { KeyInterval } from '../../core/client/key-value.ts'
import type { WatchEvent, WatchListener, WatchOptions } from '../../core/client/watch-client.ts'
import type { Connection } from '../connections/connection.ts'
import { intervalAfter } from '../ipc/key-conversion.ts'
import type { CompareSource, ReplayQuery, ReplayedChange } from './compare-source.ts'

/** A replay that hears nothing for this long is given up; paging then tells what is wrong, if anything is. */
const silenceMs = 5_000
const everything: KeyInterval = { start: new Uint8Array(1), end: 'toLastKey' }

export interface ClientSourceOptions {
  readonly clock: Clock
  readonly connection: Connection
  readonly interval: KeyInterval
  /** Named in the details of failures. */
  readonly side: 'left' | 'right'
  readonly signal: AbortSignal
}

/** The source. What the cluster refuses is thrown with `side`, and for compacted revisions `oldestRevision`, in the details. */
export function clientSource(options: ClientSourceOptions): CompareSource {
  const { connection, interval, signal } = options
  const { kv } = connection.client
  return {
    count: (revision) =>
      tellingSide(options, async () => {
        const result = await kv.range(interval, { revision, isCountOnly: true, signal })
        connection.noteRevision(result.header.revision)
        return { count: result.count, headRevision: result.header.revision }
      }),
    page: ({ after, limit, revision, isKeysOnly }) =>
      tellingSide(options, async () => {
        try {
          const { pairs, hasMore } = await kv.range(
            after === undefined ? interval : intervalAfter(interval, after),
            { limit, revision, isKeysOnly, signal },
          )
          return { kind: 'page', pairs, hasMore }
        } catch (error) {
          if (isTooLarge(error) && limit > 1) return { kind: 'tooLarge' }
          throw error
        }
      }),
    replay: (query, onChanges) => replay(options, query, onChanges),
  }
}

/**
 * Watches everything from the older revision on, until a change of the newer one or above it was seen. Every revision
 * changes some key, so that the end is certain, which it is not when only the range is watched: a server before 3.4.25
 * says that it delivered everything while it still owes changes.
 */
function replay(
  { clock, connection, interval, signal }: ClientSourceOptions,
  { fromRevision, toRevision }: ReplayQuery,
  onChanges: (changes: readonly ReplayedChange[], revision: number) => boolean,
): Promise<boolean> {
  const isInside = ({ pair }: WatchEvent): boolean =>
    pair.modRevision <= toRevision && isInInterval(interval, pair.key)
  return watchUntilEnd<boolean>(
    { clock, connection, signal, ifSilent: false },
    { interval: everything, startRevision: fromRevision, needsPrevious: true },
    (end) => ({
      onEvents: (events) => {
        const revision = events.at(-1)?.pair.modRevision ?? fromRevision
        if (!onChanges(events.filter(isInside), Math.min(revision, toRevision))) end(false)
        else if (revision >= toRevision) end(true)
      },
      onGap: () => {
        end(false)
      },
      onRefused: () => {
        end(false)
      },
    }),
  )
}

/** The oldest revision that can still be read, or 0 when it does not become known. */
function findOldestRevision(options: ClientSourceOptions): Promise<number> {
  const { interval } = options
  return watchUntilEnd<number>(
    { ...options, ifSilent: 0 },
    { interval, startRevision: 1, needsPrevious: false },
    (end) => ({
      onEvents: () => {
        end(0)
      },
      onGap: ({ toRevision }) => {
        end(toRevision + 1)
      },
      onRefused: () => {
        end(0)
      },
    }),
  )
}

interface WatchUntilEndOptions<Outcome> {
  readonly clock: Clock
  readonly connection: Connection
  readonly signal: AbortSignal
  /** The outcome when nothing is heard for long. */
  readonly ifSilent: Outcome
}

/** Watches until the listener ends it. A stream that is lost goes on by itself where it was. */
function watchUntilEnd<Outcome>(
  { clock, connection, signal, ifSilent }: WatchUntilEndOptions<Outcome>,
  watchOptions: WatchOptions,
  listen: (
    end: (outcome: Outcome) => void,
  ) => Pick<WatchListener, 'onEvents' | 'onGap' | 'onRefused'>,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let isOver = false
    let silence = clock.setTimer(silenceMs, () => {
      finish(() => {
        resolve(ifSilent)
      })
    })
    const listener = listen((outcome) => {
      finish(() => {
        resolve(outcome)
      })
    })
    const onAbort = (): void => {
      finish(() => {
        reject(new StoreError('contextCanceled'))
      })
    }
    const watch = connection.client.watch.open(watchOptions, {
      ...listener,
      onEvents: (events) => {
        if (isOver) return
        silence.cancel()
        silence = clock.setTimer(silenceMs, () => {
          finish(() => {
            resolve(ifSilent)
          })
        })
        listener.onEvents(events)
      },
      onStarted: () => undefined,
      onProgress: () => undefined,
      onInterrupted: () => undefined,
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })

    function finish(settle: () => void): void {
      if (isOver) return
      isOver = true
      silence.cancel()
      signal.removeEventListener('abort', onAbort)
      watch.dispose()
      settle()
    }
  })
}

async function tellingSide<Value>(
  options: ClientSourceOptions,
  ask: () => Promise<Value>,
): Promise<Value> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof StoreError) || options.signal.aborted) throw error
    const oldestRevision = error.code === 'compacted' ? await findOldestRevision(options) : 0
    const details = {
      ...error.details,
      side: options.side,
      ...(oldestRevision > 0 ? { oldestRevision } : {}),
    }
    throw new StoreError(error.code, details, { cause: error })
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof StoreError && error.details['grpcStatus'] === 'resourceExhausted'
}

function isInInterval({ start, end }: KeyInterval, key: Uint8Array): boolean {
  if (end === undefined) return equalBytes(start, key)
  return compareBytes(start, key) <= 0 && (end === 'toLastKey' || compareBytes(key, end) < 0)
}
