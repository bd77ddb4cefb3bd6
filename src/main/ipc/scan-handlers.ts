/** Looks at every key of a range for the page; see `preload/contract/scan.ts`. */

import { StoreError } from '../../core/errors/store-error.ts'
import type { KeyValue } from '../../core/client/key-value.ts'
import type { RangeResult } from '../../core/client/kv-client.ts'
import { streamChannels } from '../../preload/contract/channels.ts'
import { keyColumnsOf, type KeyRow } from '../../preload/contract/key-columns.ts'
import { scanRequestSchema, type ScanItem, type ScanRequest } from '../../preload/contract/scan.ts'
import type { Connection } from '../connections/connection.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import { bridgeErrorOf } from './bridge-error.ts'
import type { IpcRouter } from './ipc-router.ts'
import { columnsOf, intervalAfter, intervalOf } from './key-conversion.ts'
import { endingWith } from './stream-handlers.ts'
import type { StreamSink } from './stream-hub.ts'

/** Pages of keys alone; half a megabyte of short keys. */
const keyPageRows = 5_000
/** Pages with values: 500 rows of a kilobyte stay far below what an answer may hold. */
const valuePageRows = 500
/** Answers with a few values at the size limit fit into a message whatever else is in them. */
const valuePageRowsMin = 1
const leadersEveryMs = 500

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
    for await (const page of pagesOf(connection, request, signal)) {
      scannedCount += page.pairs.length
      for (const columns of keeper.take(page.pairs, page.isLast))
        sink.push({ kind: 'rows', replaces: request.bySize !== undefined, columns })
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
  readonly pairs: readonly KeyValue[]
  readonly revision: number
  readonly totalCount: number
  readonly isLast: boolean
}

/** All pages of a range at the revision of the first. A page whose answer is too large for a message is halved. */
async function* pagesOf(
  connection: Connection,
  request: ScanRequest,
  signal: AbortSignal,
): AsyncGenerator<ScannedPage> {
  const interval = intervalOf(request.range)
  const isKeysOnly = request.bySize === undefined
  let limit = isKeysOnly ? keyPageRows : valuePageRows
  let { revision } = request
  let totalCount = 0
  let after: Uint8Array | undefined
  while (!signal.aborted) {
    let result: RangeResult
    try {
      result = await connection.client.kv.range(
        after === undefined ? interval : intervalAfter(interval, after),
        { limit, revision, isKeysOnly, signal },
      )
    } catch (error) {
      if (!isTooLarge(error) || limit <= valuePageRowsMin) throw error
      limit = Math.max(valuePageRowsMin, limit >> 1)
      continue
    }
    if (after === undefined) {
      if (revision === 0) revision = result.header.revision
      totalCount = result.count
    }
    connection.noteRevision(result.header.revision)
    yield { pairs: result.pairs, revision, totalCount, isLast: !result.hasMore }
    after = result.pairs.at(-1)?.key
    if (!result.hasMore || after === undefined) return
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof StoreError && error.details['grpcStatus'] === 'resourceExhausted'
}

interface Keeper {
  readonly foundCount: number
  /** Takes a page; answers with what is to be shown now. */
  take(pairs: readonly KeyValue[], isLast: boolean): readonly ReturnType<typeof keyColumnsOf>[]
}

/** Keeps the keys that hold some bytes. */
class Finder implements Keeper {
  foundCount = 0
  private readonly needle: Buffer
  private readonly limit: number

  constructor(request: ScanRequest) {
    this.needle = Buffer.from(request.contains)
    this.limit = request.limit
  }

  take(pairs: readonly KeyValue[]): readonly ReturnType<typeof keyColumnsOf>[] {
    const found = pairs.filter(({ key }) =>
      Buffer.from(key.buffer, key.byteOffset, key.byteLength).includes(this.needle),
    )
    const shown = found.slice(0, Math.max(0, this.limit - this.foundCount))
    this.foundCount += found.length
    return shown.length === 0 ? [] : [columnsOf(shown, 0)]
  }
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

  take(pairs: readonly KeyValue[], isLast: boolean): readonly ReturnType<typeof keyColumnsOf>[] {
    this.foundCount += pairs.length
    const worst = this.rows.length < this.limit ? undefined : this.rows.at(-1)
    for (const pair of pairs) {
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
