/** Looks at every key of a range for the page; see `preload/contract/scan.ts`. */

import { StoreError } from '../../core/errors/store-error.ts'
import type { KeyValue } from '../../core/client/key-value.ts'
import type { ListedRange, PairList } from '../../core/client/pair-list.ts'
import { streamChannels } from '../../preload/contract/channels.ts'
import { keyColumnsOf, type KeyRow } from '../../preload/contract/key-columns.ts'
import { patternTestOf, type KeyMatch } from '../../preload/contract/key-match.ts'
import { scanRequestSchema, type ScanItem, type ScanRequest } from '../../preload/contract/scan.ts'
import type { Connection } from '../connections/connection.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import { bridgeErrorOf } from './bridge-error.ts'
import type { IpcRouter } from './ipc-router.ts'
import { columnsOf, intervalAfter, intervalOf } from './key-conversion.ts'
import { endingWith } from './stream-handlers.ts'
import type { StreamSink } from './stream-hub.ts'

/**
 * Pages of keys alone: small at first, for the first rows, then a megabyte of short keys. Some servers count all that is behind a
 * page for each of them, so few pages are better.
 */
const keyPageRowsMin = 1_000
const keyPageRowsMax = 20_000
/** Pages with values: 500 rows of a kilobyte stay far below what an answer may hold. */
const valuePageRows = 500
/** Answers with a few values at the size limit fit into a message whatever else is in them. */
const valuePageRowsMin = 1
const leadersEveryMs = 500
/** The bar moves often enough, and drawing it does not hold up the scan. */
const progressEveryMs = 100

export function registerScanHandlers(router: IpcRouter, connections: ConnectionManager): void {
  router.stream<ScanRequest, ScanItem>(streamChannels.scanOpen, scanRequestSchema, {
    policyOf: () => ({
      sizeBytesOf: (item) => (item.kind === 'rows' ? item.columns.keyBytes.length : 0),
    }),
    begin: (request, sink) => {
      const connection = connections.get(request.connectionId)
      const abort = new AbortController()
      void scan(connection, request, { sink, signal: abort.signal })
      return endingWith(connections, request.connectionId, sink, {
        dispose: () => {
          abort.abort()
        },
      })
    },
  })
}

interface ScanParts {
  readonly sink: StreamSink<ScanItem>
  readonly signal: AbortSignal
}

async function scan(
  connection: Connection,
  request: ScanRequest,
  { sink, signal }: ScanParts,
): Promise<void> {
  try {
    const keeper = request.bySize === undefined ? new Finder(request) : new SizeRanking(request)
    let scannedCount = 0
    let toldAtMs = 0
    for await (const page of pagesOf(connection, request, signal)) {
      scannedCount += page.pairs.length
      const shown = keeper.take(page.pairs, page.isLast)
      for (const columns of shown)
        sink.push({ kind: 'rows', replaces: request.bySize !== undefined, columns })
      const nowMs = performance.now()
      if (shown.length === 0 && !page.isLast && nowMs - toldAtMs < progressEveryMs) continue
      toldAtMs = nowMs
      sink.push({
        kind: 'progress',
        scannedCount,
        totalCount: page.totalCount,
        foundCount: keeper.foundCount,
        revision: page.revision,
        isCut: keeper.foundCount > request.limit,
      })
    }
    sink.end()
  } catch (error) {
    sink.end(bridgeErrorOf(error))
  }
}

interface ScannedPage {
  readonly pairs: PairList
  readonly revision: number
  readonly totalCount: number
  readonly isLast: boolean
}

/**
 * All pages of a range at the revision of the first. The next page is on its way while one is looked at. A page whose answer is too
 * large for a message is halved.
 */
async function* pagesOf(
  connection: Connection,
  request: ScanRequest,
  signal: AbortSignal,
): AsyncGenerator<ScannedPage> {
  const interval = intervalOf(request.range)
  const isKeysOnly = request.bySize === undefined && request.isInValues !== true
  let limitMax = isKeysOnly ? keyPageRowsMax : valuePageRows
  let limit = isKeysOnly ? keyPageRowsMin : valuePageRows
  let { revision } = request
  let totalCount: number | undefined
  let after: Uint8Array | undefined
  // A page that nobody waits for any more must not fail unheard: its failure is an answer too.
  const ask = (): Promise<ListedRange | Unread> =>
    connection.client.kv
      .listRange(after === undefined ? interval : intervalAfter(interval, after), {
        ...{ limit, revision, isKeysOnly, signal },
      })
      .catch((error: unknown) => new Unread(error))
  let answer = ask()
  for (;;) {
    const result = await answer
    if (signal.aborted) return
    if (result instanceof Unread) {
      if (!isTooLarge(result.error) || limit <= valuePageRowsMin) throw result.error
      limit = Math.max(valuePageRowsMin, limit >> 1)
      limitMax = limit
      answer = ask()
      continue
    }
    const { pairs, header } = result
    if (revision === 0) revision = header.revision
    totalCount ??= result.count
    connection.noteRevision(header.revision)
    const isLast = !result.hasMore || pairs.length === 0
    if (!isLast) {
      after = pairs.keyAt(pairs.length - 1)
      limit = Math.min(limitMax, limit * 2)
      answer = ask()
    }
    yield { pairs, revision, totalCount, isLast }
    if (isLast) return
  }
}

/** A page that could not be read, and why. */
class Unread {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof StoreError && error.details['grpcStatus'] === 'resourceExhausted'
}

interface Keeper {
  readonly foundCount: number
  /** Takes a page; answers with what is to be shown now. */
  take(pairs: PairList, isLast: boolean): readonly ReturnType<typeof keyColumnsOf>[]
}

/** Keeps the keys that match, or whose values do. */
class Finder implements Keeper {
  foundCount = 0
  private readonly test: (bytes: Uint8Array) => boolean
  private readonly isInValues: boolean
  private readonly limit: number

  constructor(request: ScanRequest) {
    this.test = testOf(request.match)
    this.isInValues = request.isInValues === true
    this.limit = request.limit
  }

  take(pairs: PairList): readonly ReturnType<typeof keyColumnsOf>[] {
    const found: KeyValue[] = []
    for (let at = 0; at < pairs.length; at++) {
      const bytes = this.isInValues ? pairs.pairAt(at).value : pairs.keyAt(at)
      if (this.test(bytes)) found.push(pairs.pairAt(at))
    }
    const shown = found.slice(0, Math.max(0, this.limit - this.foundCount))
    this.foundCount += found.length
    return shown.length === 0 ? [] : [columnsOf(shown, 0)]
  }
}

function testOf(match: KeyMatch | undefined): (bytes: Uint8Array) => boolean {
  if (match === undefined) return () => true
  if (match.kind === 'pattern') return patternTestOf(match.pattern)
  const needle = Buffer.from(match.bytes)
  return ({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength).includes(needle)
}

/** Keeps the rows with the largest, or smallest, values. */
class SizeRanking implements Keeper {
  foundCount = 0
  private readonly limit: number
  private readonly sign: 1 | -1
  private rows: KeyRow[] = []
  private shownAtMs = 0

  constructor(request: ScanRequest) {
    this.limit = request.limit
    this.sign = request.bySize === 'descending' ? -1 : 1
  }

  take(pairs: PairList, isLast: boolean): readonly ReturnType<typeof keyColumnsOf>[] {
    this.foundCount += pairs.length
    const worst = this.rows.length < this.limit ? undefined : this.rows.at(-1)
    for (let at = 0; at < pairs.length; at++) {
      const pair = pairs.pairAt(at)
      const sizeBytes = pair.value.length
      if (worst !== undefined && (sizeBytes - worst.valueSizeBytes) * this.sign >= 0) continue
      // The value stays here: a view of it would keep the whole answer that it came in.
      const key = Uint8Array.from(pair.key)
      this.rows.push({ ...pair, key, value: new Uint8Array(0), valueSizeBytes: sizeBytes })
    }
    this.rows.sort((left, right) => (left.valueSizeBytes - right.valueSizeBytes) * this.sign)
    this.rows.length = Math.min(this.rows.length, this.limit)
    const nowMs = performance.now()
    if (!isLast && nowMs - this.shownAtMs < leadersEveryMs) return []
    this.shownAtMs = nowMs
    return [keyColumnsOf(this.rows)]
  }
}
