/**
 * A bridge without a main process: a store in memory and three nodes that can be killed. The page runs on it in an
 * ordinary browser, for tests of its screens and for looking at them.
 *
 * It keeps the promises of the real one: calls resolve with a reply, streams deliver in batches and end once, a lost
 * leader makes writes and linearizable reads fail until there is a new one.
 */

import { RevisionTimes } from '../../src/main/connections/revision-times.ts'
import type { Bridge } from '../../src/preload/contract/bridge.ts'
import type { ConnectionEvent, ConnectionInfo } from '../../src/preload/contract/connection.ts'
import type { HistoryItem } from '../../src/preload/contract/history.ts'
import { historyColumnsOf } from '../../src/preload/contract/history-columns.ts'
import type { KeyValue } from '../../src/preload/contract/kv.ts'
import type {
  BridgeError,
  Reply,
  StreamListener,
  Subscription,
} from '../../src/preload/contract/reply.ts'
import { keyColumnsOf, keyRowAt } from '../../src/preload/contract/key-columns.ts'
import type { KeyRow } from '../../src/preload/contract/key-columns.ts'
import { patternTestOf } from '../../src/preload/contract/key-match.ts'
import type { ScanItem } from '../../src/preload/contract/scan.ts'
import { settingsSchema } from '../../src/preload/contract/settings.ts'
import type { Settings } from '../../src/preload/contract/settings.ts'
import { watchColumnsOf } from '../../src/preload/contract/watch-columns.ts'
import type {
  WatchChange,
  WatchedValue,
  WatchItem,
  WatchRowsItem,
  WatchRowsRequest,
} from '../../src/preload/contract/watch.ts'
import { FakeCluster, connectionId } from './fake-cluster.ts'
import { fillStore } from './fake-data.ts'
import { openFakeCompare } from './fake-compare.ts'
import { FakeFiles } from './fake-files.ts'
import { fakeLeases } from './fake-leases.ts'
import { fakeQueryRange, runFakeTxn } from './fake-query.ts'
import { fakePlanBridges } from './fake-plans.ts'
import { fakeActivity } from './fake-activity.ts'
import { FakeStore, isIn, nameOf } from './fake-store.ts'

/** What a test may set. */
export interface FakeBridgeOptions {
  readonly keyCount: number
  /** Nobody writes but the page. */
  readonly isQuiet: boolean
  readonly settings: Partial<Settings>
  /** Nothing was launched: the window opens on its list of connections. */
  readonly isWithoutConnection: boolean
  readonly isFirstStart: boolean
}

/** The bridge, and what stands behind it, so that a test can act as somebody else. */
export interface FakeWorld {
  readonly bridge: Bridge
  readonly store: FakeStore
  readonly cluster: FakeCluster
  readonly files: FakeFiles
}

const encoder = new TextEncoder()

/** Makes a world with its data. */
export function createFakeWorld(options: FakeBridgeOptions): FakeWorld {
  const store = new FakeStore()
  fillStore(store, options.keyCount)
  const cluster = new FakeCluster(store, Date.now())
  if (!options.isQuiet) writeNowAndThen(store)
  const hub = new ConnectionHub(store, cluster, options)
  const files = new FakeFiles()
  const bridge: Bridge = {
    app: {
      info: () =>
        done({
          productName: 'Quorate',
          version: '0.1.0',
          electronVersion: 'none',
          chromiumVersion: 'this browser',
          nodeVersion: 'none',
          platform: 'linux',
          userDataDirectory: 'none',
          launchArguments: [],
          ...(options.isWithoutConnection ? {} : { initialConnectionId: connectionId }),
          isFirstStart: options.isFirstStart,
        }),
      observeCommands: () => nothing,
      writeClipboard: () => done(null),
      observeClosing: () => nothing,
      readyToClose: () => done(null),
    },
    connections: hub.bridge,
    ...keyBridges(store, cluster),
    files: files.bridge,
    activity: fakeActivity(store),
    leases: fakeLeases(store),
    compare: {
      open: (request, listener) => openFakeCompare(() => store, request, listener),
    },
    ...fakePlanBridges(store, cluster),
    cluster: {
      snapshot: () => done(cluster.snapshot()),
      observe: (request, listener) => {
        const send = (): void => {
          listener({ kind: 'batch', items: [{ kind: 'snapshot', snapshot: cluster.snapshot() }] })
        }
        setTimeout(send, 5)
        const timer = setInterval(send, request.intervalMs)
        return closing(() => {
          clearInterval(timer)
        })
      },
    },
    nodes: nodeBridge(cluster),
    settings: settingsBridge(options.settings),
    operations: { observe: () => nothing },
  }
  return { bridge, store, cluster, files }
}

/** The list of connections: the playground, and what the page opens. */
class ConnectionHub {
  readonly bridge: Bridge['connections']
  private readonly listeners = new Set<StreamListener<ConnectionEvent>>()
  private readonly others = new Map<string, ConnectionInfo>()

  constructor(store: FakeStore, cluster: FakeCluster, options: FakeBridgeOptions) {
    const playground = (): ConnectionInfo => this.playgroundInfo(store, cluster)
    const times = new RevisionTimes()
    times.note(store.revision, Date.now())
    store.listen((changes) => {
      for (const { revision } of changes) times.noteLive(revision, Date.now())
      times.note(store.revision, Date.now())
    })
    const all = (): readonly ConnectionInfo[] => [
      ...(options.isWithoutConnection ? [] : [playground()]),
      ...this.others.values(),
    ]
    cluster.onChange(() => {
      if (!options.isWithoutConnection) this.tell({ kind: 'changed', connection: playground() })
    })
    const setState = (id: string, state: ConnectionInfo['state']): ConnectionInfo => {
      const info = { ...(this.others.get(id) ?? playground()), state }
      if (id !== connectionId) this.others.set(id, info)
      this.tell({ kind: 'changed', connection: info })
      return info
    }
    this.bridge = {
      list: () => done(all()),
      observe: (listener) => {
        this.listeners.add(listener)
        setTimeout(() => {
          listener({
            kind: 'batch',
            items: all().map((connection) => ({ kind: 'changed', connection })),
          })
        }, 2)
        return closing(() => this.listeners.delete(listener))
      },
      open: (request) => {
        const id = `saved-${String(this.others.size + 1)}`
        const info: ConnectionInfo = {
          id,
          name: request.name ?? request.endpoints[0] ?? id,
          origin: 'saved',
          environment: request.environment ?? 'none',
          isReadOnly: request.environment === 'production',
          state: 'connecting',
          endpoints: request.endpoints.map((url, index) => ({
            url,
            kind: 'ready',
            isActive: index === 0,
          })),
          headRevision: store.revision,
        }
        this.others.set(id, info)
        setTimeout(() => setState(id, 'ready'), 200)
        return done(info)
      },
      openSaved: (request) => done(setState(request.connectionId, 'ready')),
      close: (request) => {
        setState(request.connectionId, 'closed')
        return done(null)
      },
      remove: (request) => {
        this.others.delete(request.connectionId)
        this.tell({ kind: 'removed', connectionId: request.connectionId })
        return done(null)
      },
      lock: ({ connectionId: id }) => {
        const info = this.others.get(id)
        if (info !== undefined) this.become(lockedInfo(info, true))
        return done(null)
      },
      unlock: ({ connectionId: id, name, forMinutes }) => {
        const info = this.others.get(id)
        if (info === undefined) return refused('unknownConnection', 'This connection is not open')
        if (info.name !== name || (info.environment === 'production' && forMinutes === undefined))
          return refused('invalidRequest', `The connection is named "${info.name}"`)
        this.become(lockedInfo(info, false, forMinutes))
        return done(null)
      },
      times: ({ revisions }) => done(revisions.map((revision) => times.timeOf(revision))),
      revisionAt: ({ atMs }) => done(times.newestAt(atMs)),
      logIn: (request) => {
        setState(request.connectionId, 'ready')
        return done(null)
      },
      access: () => done(null),
      chooseFile: () => done(null),
    }
  }

  private tell(event: ConnectionEvent): void {
    for (const listener of this.listeners) listener({ kind: 'batch', items: [event] })
  }

  /** A connection changed; one whose writing has an end locks by itself. */
  private become(info: ConnectionInfo): void {
    this.others.set(info.id, info)
    this.tell({ kind: 'changed', connection: info })
    const { writableUntilMs } = info
    if (writableUntilMs === undefined) return
    setTimeout(() => {
      const now = this.others.get(info.id)
      if (now?.writableUntilMs === writableUntilMs) this.become(lockedInfo(now, true))
    }, writableUntilMs - Date.now())
  }

  private playgroundInfo(store: FakeStore, cluster: FakeCluster): ConnectionInfo {
    const { nodes } = cluster.playground
    const up = nodes.filter((node) => node.state === 'running')
    return {
      id: connectionId,
      name: 'Local playground',
      origin: 'playground',
      environment: 'none',
      isReadOnly: false,
      state: up.length === nodes.length ? 'ready' : up.length > 0 ? 'degraded' : 'failed',
      ...(up.length === nodes.length
        ? {}
        : { reason: `${String(nodes.length - up.length)} endpoint down` }),
      endpoints: nodes.map((node) => ({
        url: node.clientUrl,
        kind: node.state === 'running' ? 'ready' : 'failed',
        isActive: node.name === up[0]?.name,
      })),
      headRevision: store.revision,
      lastAnswerAtMs: Date.now(),
    }
  }
}

function keyBridges(
  store: FakeStore,
  cluster: FakeCluster,
): Pick<Bridge, 'kv' | 'query' | 'history' | 'watch' | 'scan'> {
  const guarded = <T>(make: () => T): Promise<Reply<T>> =>
    cluster.hasQuorum ? done(make()) : refused('noLeader', 'etcdserver: no leader')
  return {
    kv: {
      range: (request) =>
        findUnreadable(store, request.revision) ?? guarded(() => store.range(request)),
      count: (request) =>
        guarded(() => {
          const { count } = store.range({ ...request, limit: 1, valueBytesMax: 0 })
          return { count, headRevision: store.revision }
        }),
      get: (request) => {
        const unreadable = findUnreadable(store, request.revision)
        if (unreadable !== undefined) return unreadable
        return guarded(() => withPair(store.revision, store.find(request.key, request.revision)))
      },
      put: (request) =>
        guarded(() => {
          const current = store.find(request.key)
          const expected = request.expectedModRevision
          if (expected !== undefined && (current?.modRevision ?? 0) !== expected) {
            return {
              kind: 'conflict',
              headRevision: store.revision,
              ...(current === undefined ? {} : { current }),
            }
          }
          const { revision } = store.put(
            request.key,
            request.value,
            request.lease ?? current?.lease ?? 0n,
          )
          return {
            kind: 'written',
            revision,
            ...(current === undefined ? {} : { previous: current }),
          }
        }),
      deleteKeys: (request) =>
        guarded(() => {
          const same = request.keys.filter(
            ({ key, expectedModRevision }) => store.find(key)?.modRevision === expectedModRevision,
          )
          const skipped = request.keys.filter((one) => !same.includes(one)).map(({ key }) => key)
          const deleted = store.delete(same.map(({ key }) => key))
          return { headRevision: store.revision, deleted, skipped }
        }),
      deleteRange: () => refused('invalidRequest', 'the page does not delete ranges'),
      txn: (request) => runFakeTxn(store, cluster, request),
    },
    query: { range: (request) => fakeQueryRange(store, cluster, request) },
    history: {
      open: (request, listener) => openHistory(store, request, listener),
    },
    watch: {
      open: (request, listener) => openWatch(store, request, listener),
      openRows: (request, listener) => openRows(store, request, listener),
    },
    scan: { open: (request, listener) => openScan(store, request, listener) },
  }
}

/** A connection that was locked, or opened for writing: for good, or for some minutes. */
function lockedInfo(
  info: ConnectionInfo,
  isReadOnly: boolean,
  forMinutes?: number,
): ConnectionInfo {
  const changed: { -readonly [Name in keyof ConnectionInfo]: ConnectionInfo[Name] } = { ...info }
  changed.isReadOnly = isReadOnly
  if (forMinutes === undefined) delete changed.writableUntilMs
  else changed.writableUntilMs = Date.now() + forMinutes * 60_000
  return changed
}

/** Why a revision cannot be read; undefined when it can. */
function findUnreadable(store: FakeStore, revision: number): Promise<Reply<never>> | undefined {
  if (revision > store.revision)
    return refused('futureRevision', 'etcdserver: mvcc: required revision is a future revision')
  if (revision !== 0 && revision <= store.compactedRevision)
    return refused('compacted', 'etcdserver: mvcc: required revision has been compacted')
  return undefined
}

/** Looks at two thousand keys at a time, so that a test can see it under way and end it. */
function openScan(
  store: FakeStore,
  request: Parameters<Bridge['scan']['open']>[0],
  listener: StreamListener<ScanItem>,
): Subscription {
  const isBySize = request.bySize !== undefined
  const { match, isInValues = false } = request
  const valueBytesMax = isInValues ? 1_000_000 : isBySize ? 1 : 0
  const test =
    match?.kind === 'pattern'
      ? patternTestOf(match.pattern)
      : (bytes: Uint8Array): boolean =>
          match === undefined || nameOf(bytes).includes(nameOf(match.bytes))
  const sign = request.bySize === 'descending' ? -1 : 1
  let after: Uint8Array | undefined
  let scannedCount = 0
  let totalCount = 0
  let foundCount = 0
  let best: KeyRow[] = []
  const step = (): void => {
    const { connectionId: connection, range, revision } = request
    const page = store.range({
      ...{ connectionId: connection, range, limit: 2_000, revision, valueBytesMax },
      ...(after === undefined ? {} : { after }),
    })
    totalCount ||= page.count
    const rows = Array.from({ length: page.columns.rowCount }, (_, row) =>
      keyRowAt(page.columns, row),
    )
    const found = rows.filter(({ key, value }) => test(isInValues ? value : key))
    scannedCount += rows.length
    foundCount += found.length
    best = [...best, ...found]
    if (isBySize) best.sort((left, right) => (left.valueSizeBytes - right.valueSizeBytes) * sign)
    const shown = (isBySize ? best : found).slice(0, request.limit)
    const columns = keyColumnsOf(shown.map((row) => ({ ...row, value: new Uint8Array(0) })))
    const isCut = foundCount > request.limit
    listener({
      kind: 'batch',
      items: [
        { kind: 'rows', replaces: isBySize, columns },
        { kind: 'progress', revision: page.revision, scannedCount, totalCount, foundCount, isCut },
      ],
    })
    after = rows.at(-1)?.key
    if (page.hasMore) timer = setTimeout(step, 4)
    else listener({ kind: 'ended' })
  }
  let timer = setTimeout(step, 4)
  return closing(() => {
    clearTimeout(timer)
  })
}

function openHistory(
  store: FakeStore,
  request: Parameters<Bridge['history']['open']>[0],
  listener: StreamListener<HistoryItem>,
): Subscription {
  let compactedRevision = 0
  const compactedNow = (): readonly HistoryItem[] => {
    if (store.compactedRevision === compactedRevision) return []
    compactedRevision = store.compactedRevision
    return [{ kind: 'compacted', revision: compactedRevision }]
  }
  const start = setTimeout(() => {
    const columns = historyColumnsOf(store.history(request.key, request.headBytesMax))
    listener({
      kind: 'batch',
      items: [
        { kind: 'changes', columns },
        ...compactedNow(),
        { kind: 'finished', headRevision: store.revision },
      ],
    })
  }, 4)
  const timer = setInterval(() => {
    const items = compactedNow()
    if (items.length > 0) listener({ kind: 'batch', items })
  }, 50)
  return closing(() => {
    clearTimeout(start)
    clearInterval(timer)
  })
}

function openWatch(
  store: FakeStore,
  request: Parameters<Bridge['watch']['open']>[0],
  listener: StreamListener<WatchItem>,
): Subscription {
  const { range, startRevision, valueBytesMax } = request
  let waiting: WatchItem[] = []
  const take = (changes: readonly WatchChange[]): void => {
    for (const change of changes) {
      const isLeftOut = change.kind === 'put' ? request.isWithoutPuts : request.isWithoutDeletes
      if (isIn(range, change.key) && !isLeftOut)
        waiting.push({ kind: 'change', change: cutChange(change, valueBytesMax) })
    }
  }
  waiting.push({
    kind: 'started',
    startRevision: startRevision === 0 ? store.revision + 1 : startRevision,
    endpoint: 'http://127.0.0.1:2379',
  })
  if (startRevision > 0 && startRevision <= store.compactedRevision) {
    waiting.push({ kind: 'gap', fromRevision: startRevision, toRevision: store.compactedRevision })
  }
  if (startRevision > 0)
    take(store.changesFrom(range, Math.max(startRevision, store.compactedRevision + 1)))
  const stop = store.listen(take)
  const timer = setInterval(() => {
    const items = waiting
    waiting = []
    if (items.length > 0) listener({ kind: 'batch', items })
  }, 16)
  return closing(() => {
    stop()
    clearInterval(timer)
  })
}

/** The same watch, its changes as columns, and only those that match. */
function openRows(
  store: FakeStore,
  request: WatchRowsRequest,
  listener: StreamListener<WatchRowsItem>,
): Subscription {
  const { keyPattern, valuePattern, ...plain } = request
  const matches = (pattern: string | undefined, bytes: Uint8Array | undefined): boolean =>
    pattern === undefined || new RegExp(pattern, 'u').test(new TextDecoder().decode(bytes))
  return openWatch(store, plain, (message) => {
    if (message.kind === 'ended') {
      listener(message)
      return
    }
    const items = message.items.flatMap((item): WatchRowsItem[] => {
      if (item.kind !== 'change') return [item]
      const { change } = item
      const value = (change.current ?? change.previous)?.bytes
      const { revision } = change
      const isWanted = matches(keyPattern, change.key) && matches(valuePattern, value)
      const rows: WatchRowsItem[] = isWanted
        ? [{ kind: 'rows', columns: watchColumnsOf([change]) }]
        : []
      return [...rows, { kind: 'progress', revision }]
    })
    listener({ kind: 'batch', items })
  })
}

function nodeBridge(cluster: FakeCluster): Bridge['nodes'] {
  const after = (act: () => void): Promise<Reply<FakeCluster['playground']>> => {
    act()
    return done(cluster.playground)
  }
  return {
    list: () => done(cluster.playground),
    observe: (listener) => {
      const changed = (): void => {
        listener({ kind: 'batch', items: [{ kind: 'changed', playground: cluster.playground }] })
      }
      setTimeout(() => {
        changed()
        listener({ kind: 'batch', items: cluster.lines.map((line) => ({ kind: 'log', line })) })
      }, 2)
      const endChanges = cluster.onChange(changed)
      const endLog = cluster.onLog((line) => {
        listener({ kind: 'batch', items: [{ kind: 'log', line }] })
      })
      return closing(() => {
        endChanges()
        endLog()
      })
    },
    startPlayground: () => done(cluster.playground),
    start: ({ nodeName }) =>
      after(() => {
        cluster.start(nodeName)
      }),
    stop: ({ nodeName }) =>
      after(() => {
        cluster.end(nodeName, 'stopped')
      }),
    kill: ({ nodeName }) =>
      after(() => {
        cluster.end(nodeName, 'killed')
      }),
    restart: ({ nodeName }) =>
      after(() => {
        cluster.start(nodeName)
      }),
  }
}

function settingsBridge(given: Partial<Settings>): Bridge['settings'] {
  let settings = settingsSchema.parse(given)
  const listeners = new Set<StreamListener<Settings>>()
  return {
    get: () => done(settings),
    update: (patch) => {
      settings = settingsSchema.parse({ ...settings, ...patch })
      for (const listener of listeners) listener({ kind: 'batch', items: [settings] })
      return done(settings)
    },
    observe: (listener) => {
      listeners.add(listener)
      return closing(() => listeners.delete(listener))
    },
    loadPageState: () => done(null),
    savePageState: () => done(null),
  }
}

function writeNowAndThen(store: FakeStore): void {
  let count = 0
  setInterval(() => {
    count++
    store.put(encoder.encode('/app/checkout/counters/orders'), encoder.encode(String(8000 + count)))
    if (count % 4 === 0)
      store.put(
        encoder.encode(`/app/checkout/orders/${String(count).padStart(6, '0')}`),
        encoder.encode('{"total":18350,"currency":"EUR"}'),
      )
    if (count % 8 === 0)
      store.delete([encoder.encode(`/app/checkout/orders/${String(count - 4).padStart(6, '0')}`)])
  }, 700)
}

function cutChange(change: WatchChange, bytesMax: number): WatchChange {
  const cut = (value: WatchedValue): WatchedValue => ({
    ...value,
    bytes: value.bytes.subarray(0, bytesMax),
  })
  return {
    ...change,
    ...(change.current === undefined ? {} : { current: cut(change.current) }),
    ...(change.previous === undefined ? {} : { previous: cut(change.previous) }),
  }
}

function withPair(
  headRevision: number,
  pair: KeyValue | undefined,
): { headRevision: number; pair?: KeyValue } {
  return pair === undefined ? { headRevision } : { headRevision, pair }
}

const nothing: Subscription = { close: () => undefined }

function closing(close: () => unknown): Subscription {
  return { close: () => void close() }
}

/** Answers after a short while, as another process would. */
function done<T>(value: T): Promise<Reply<T>> {
  return new Promise((resolve) => {
    setTimeout(() => {
      resolve({ ok: true, value })
    }, 2)
  })
}

function refused<T>(code: string, message: string): Promise<Reply<T>> {
  const error: BridgeError = {
    code,
    message,
    isRetryable: true,
    isOutcomeUnknown: false,
    details: {},
  }
  return Promise.resolve({ ok: false, error })
}
