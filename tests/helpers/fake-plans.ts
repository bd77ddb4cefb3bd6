/** Plans and the bin of deleted keys for the page without a main process: the app's own code, over a store in memory. */

import type { Clock } from '../../src/core/base/clock.ts'
import { leaseId } from '../../src/core/base/ids.ts'
import { StoreError } from '../../src/core/errors/store-error.ts'
import { DeletedKeys } from '../../src/main/bin/deleted-keys.ts'
import { readRevisionChanges } from '../../src/main/bin/revision-changes.ts'
import { bridgeErrorOf } from '../../src/main/ipc/bridge-error.ts'
import { intervalOf } from '../../src/main/ipc/key-conversion.ts'
import type { StreamSink } from '../../src/main/ipc/stream-hub.ts'
import { PlanHost } from '../../src/main/plans/plan-host.ts'
import type { BinBridge, PlansBridge } from '../../src/preload/contract/bridge.ts'
import type { Reply, StreamListener, Subscription } from '../../src/preload/contract/reply.ts'
import type { FakeCluster } from './fake-cluster.ts'
import { FakePlanCluster } from './fake-plan-cluster.ts'
import type { FakeStore } from './fake-store.ts'

const batchEveryMs = 4
/** Granted leases have numbers from here on. */
let newestLease = 0x7a_00n

/** Time of an ordinary browser. */
export const browserClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer: (delayMs, callback) => {
    const handle = setTimeout(callback, delayMs)
    return {
      cancel: () => {
        clearTimeout(handle)
      },
    }
  },
  nextTurn: (callback) => {
    setTimeout(callback, 0)
  },
}

/** Both parts of the bridge. */
export function fakePlanBridges(
  store: FakeStore,
  cluster: FakeCluster,
): { readonly plans: PlansBridge; readonly bin: BinBridge } {
  const kv = new FakePlanCluster(store)
  kv.faults.beforeWrite = () => {
    if (!cluster.hasQuorum) throw new StoreError('noLeader')
    return undefined
  }
  const host = new PlanHost({
    clock: browserClock,
    target: (connectionId) => ({
      connectionId,
      cluster: kv,
      assertWritable: () => undefined,
      listLeases: () => Promise.resolve(new Set()),
      grantLease: () => Promise.resolve(leaseId(++newestLease)),
      record: (_keys, send) => send(),
    }),
  })
  const sources = {
    clock: browserClock,
    kv,
    quietMs: 0,
    watch: (
      options: Parameters<FakePlanCluster['watch']>[1],
      listener: Parameters<FakePlanCluster['watch']>[2],
    ) => kv.watch(browserClock, options, listener),
  }
  return {
    plans: {
      open: (request, listener) => streaming(listener, (sink) => host.open(request, sink)),
      run: (request, listener) => streaming(listener, (sink) => host.run(request, sink)),
      cancel: ({ planId }) => {
        host.cancel(planId)
        return replied(null)
      },
      list: ({ connectionId }) => replied({ reports: host.reports(connectionId) }),
    },
    bin: {
      open: ({ range }, listener) =>
        streaming(listener, (sink) => {
          const onFailed = (error: unknown): void => {
            sink.end(bridgeErrorOf(error))
          }
          return new DeletedKeys(sources, intervalOf(range), { push: sink.push, onFailed })
        }),
      changes: async ({ revision, limit }) => {
        try {
          return { ok: true, value: await readRevisionChanges(sources, revision, limit) }
        } catch (error) {
          return { ok: false, error: bridgeErrorOf(error) }
        }
      },
    },
  }
}

/** Items gather for a moment, as they do in the main process. */
function streaming<Item>(
  listener: StreamListener<Item>,
  begin: (sink: StreamSink<Item>) => { dispose(): void },
): Subscription {
  let waiting: Item[] = []
  let isClosed = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = (): void => {
    timer = undefined
    const items = waiting
    waiting = []
    if (!isClosed && items.length > 0) listener({ kind: 'batch', items })
  }
  const source = begin({
    push: (item) => {
      waiting.push(item)
      timer ??= setTimeout(flush, batchEveryMs)
    },
    end: (error) => {
      setTimeout(() => {
        clearTimeout(timer)
        flush()
        if (!isClosed) listener(error === undefined ? { kind: 'ended' } : { kind: 'ended', error })
        isClosed = true
      }, batchEveryMs)
    },
  })
  return {
    close: () => {
      isClosed = true
      clearTimeout(timer)
      source.dispose()
    },
  }
}

function replied<T>(value: T): Promise<Reply<T>> {
  return Promise.resolve({ ok: true, value })
}
