/** A client's watch: on one node at a time, resumed on another one behind what it has seen. */
import { namedRandom, type Random } from '../../../src/core/base/random.ts'
import { latin1Of } from '../../../src/core/base/bytes.ts'
import { keyRangeOfWire } from '../../../src/core/mvcc/key-range.ts'
import type { Change } from '../../../src/core/mvcc/change.ts'
import type { StoreNode } from '../../../src/core/node/store-node.ts'
import type { EventBatch } from '../../../src/core/watch/event-batch.ts'
import type { Watcher } from '../../../src/core/watch/watcher.ts'
import { plainPairOf, type WatchSegment, type WatchedBatch, type WatchedEvent } from './history.ts'
import type { Life, SimCluster, SimNode } from './sim-cluster.ts'

const encoder = new TextEncoder()

export class SimWatch {
  private readonly cluster: SimCluster
  private readonly segments: WatchSegment[]
  private readonly number: number
  private readonly random: Random
  private nextRevision = 0
  private watcher: Watcher | undefined
  private inFlight = 0
  private lastArrivalUs = 0
  private detachDeath: (() => void) | undefined
  private isClosed = false

  constructor(cluster: SimCluster, segments: WatchSegment[], number: number) {
    this.cluster = cluster
    this.segments = segments
    this.number = number
    this.random = namedRandom(cluster.plan.seed, `workload/watch/${number}`)
  }

  /** Looks for a node and begins; called again after every end. */
  open(): void {
    if (this.isClosed) return
    const { cluster, random } = this
    const delayUs = 1_000 + random.below(100_000)
    cluster.scheduler.schedule(delayUs, { kind: 'watch opens' }, () => {
      const node = cluster.nodes[random.below(cluster.nodes.length)]!
      const { life } = node
      if (life?.node === undefined || life.process.isPaused || life.isStopping) this.open()
      else {
        const storeNode = life.node
        cluster.scheduler.schedule(0, { kind: 'watch request', process: life.process }, () => {
          this.begin(node, life, storeNode)
        })
        // The request may die with its node before it is served.
        this.reopenAtDeath(life, () => undefined)
      }
    })
  }

  /** Whether everything up to a revision has arrived. */
  isCaughtUp(revision: number): boolean {
    return (
      this.watcher !== undefined &&
      this.inFlight === 0 &&
      this.watcher.isSynced &&
      this.watcher.minRevision > revision
    )
  }

  /** Ends the watch for good, before its node is stopped. */
  close(): void {
    this.isClosed = true
    this.watcher?.cancel()
    this.watcher = undefined
  }

  private reopenAtDeath(life: Life, also: () => void): void {
    const onDeath = (): void => {
      also()
      this.watcher = undefined
      this.inFlight = 0
      this.open()
    }
    this.detachDeath?.()
    life.deathListeners.add(onDeath)
    this.detachDeath = (): void => {
      life.deathListeners.delete(onDeath)
    }
  }

  private begin(node: SimNode, life: Life, storeNode: StoreNode): void {
    const { random, cluster } = this
    if (this.isClosed) return
    const current = storeNode.currentRevision
    // Now and then the client forgets where it was and asks for the past, the future or what was compacted.
    const isFresh = this.nextRevision === 0 || random.below(10) === 0
    const asked = isFresh ? this.drawStart(current) : this.nextRevision
    const isPrefix = random.below(2) === 0
    const startKey = isPrefix ? 'k' : `k${random.below(cluster.plan.workload.keyCount)}`
    const previous = this.segments.findLast((segment) => segment.watch === this.number)
    const scope =
      isFresh || previous === undefined
        ? { startKey, rangeEnd: isPrefix ? 'l' : '', filter: random.below(6) }
        : scopeOf(previous)
    const segment: WatchSegment = {
      watch: this.number,
      node: node.name,
      startKey: scope.startKey,
      rangeEnd: scope.rangeEnd,
      startRevision: asked === 0 ? current + 1 : asked,
      noPut: scope.filter === 1,
      noDelete: scope.filter === 2,
      hasPrevious: random.below(2) === 0,
      batches: [],
      end: { kind: 'open' },
    }
    this.segments.push(segment)
    this.nextRevision = segment.startRevision
    this.inFlight = 0
    this.reopenAtDeath(life, () => {
      if (segment.end.kind === 'open') segment.end = { kind: 'cut' }
    })
    this.watcher = storeNode.watchHub.watch(
      {
        range: keyRangeOfWire(encoder.encode(segment.startKey), encoder.encode(segment.rangeEnd)),
        startRevision: asked,
        filters: { noPut: segment.noPut, noDelete: segment.noDelete },
      },
      {
        offer: (batch) => this.take(batch, { segment, life, storeNode }),
        compacted: (revision) => {
          if (!life.process.isAlive) return true
          segment.end = { kind: 'compacted', revision }
          this.watcher = undefined
          this.nextRevision = Math.max(revision, segment.startRevision)
          this.detachDeath?.()
          this.open()
          return true
        },
      },
    )
    if (segment.end.kind !== 'open') this.watcher = undefined
    this.planCancel(segment, life)
  }

  private planCancel(segment: WatchSegment, life: Life): void {
    if (this.random.below(3) !== 0) return
    this.cluster.scheduler.schedule(
      this.random.below(5_000_000),
      { kind: 'watch cancels', process: life.process },
      () => {
        if (segment.end.kind !== 'open' || this.isClosed || this.watcher === undefined) return
        this.watcher.cancel()
        this.watcher = undefined
        segment.end = { kind: 'cut' }
        this.detachDeath?.()
        this.open()
      },
    )
  }

  private drawStart(current: number): number {
    const choice = this.random.below(4)
    if (choice === 0) return 0
    if (choice === 1) return Math.max(1, current - this.random.below(60))
    if (choice === 2) return current + this.random.below(20)
    return 1 + this.random.below(current)
  }

  private take(
    batch: EventBatch,
    at: { readonly segment: WatchSegment; readonly life: Life; readonly storeNode: StoreNode },
  ): boolean {
    const { segment, life, storeNode } = at
    const { cluster } = this
    if (!life.process.isAlive) return true
    if (this.inFlight >= cluster.plan.workload.watchCapacity) return false
    const events = batch.changes.map((change) => this.eventOf(change, segment, storeNode))
    for (const event of events) {
      if (event.pair === undefined) continue
      const marker = /#\d+\.\d+#/.exec(event.pair.value)?.[0]
      const observed = cluster.observation.nodes.find((node) => node.name === segment.node)!
      cluster.observation.answered({
        node: observed,
        marker,
        description: `an event of ${event.key}`,
      })
    }
    this.inFlight += 1
    // A stream keeps its order.
    this.lastArrivalUs = Math.max(
      this.lastArrivalUs,
      cluster.scheduler.nowUs + 100 + this.random.below(5_000),
    )
    cluster.scheduler.schedule(
      this.lastArrivalUs - cluster.scheduler.nowUs,
      { kind: 'watch events' },
      () => {
        if (segment.end.kind !== 'open' && segment.end.kind !== 'compacted') return
        const arrived: WatchedBatch = {
          events,
          revision: batch.revision,
          atUs: cluster.scheduler.nowUs,
        }
        segment.batches.push(arrived)
        if (segment.end.kind !== 'open') return
        this.nextRevision = Math.max(this.nextRevision, batch.revision + 1)
        this.inFlight -= 1
        // There is room again; the node hears of it in a turn of its own.
        cluster.scheduler.schedule(0, { kind: 'watch room', process: life.process }, () => {
          if (segment.end.kind === 'open') this.watcher?.resume()
        })
      },
    )
    return true
  }

  private eventOf(change: Change, segment: WatchSegment, storeNode: StoreNode): WatchedEvent {
    const previous = segment.hasPrevious ? storeNode.watchHub.previousKeyValue(change) : undefined
    return {
      kind: change.kind,
      key: latin1Of(change.keyValue.key),
      revision: change.keyValue.modRevision,
      pair: change.kind === 'put' ? plainPairOf(change.keyValue) : undefined,
      previous: previous && plainPairOf(previous),
    }
  }
}

function scopeOf(segment: WatchSegment): {
  readonly startKey: string
  readonly rangeEnd: string
  readonly filter: number
} {
  return {
    startKey: segment.startKey,
    rangeEnd: segment.rangeEnd,
    filter: segment.noPut ? 1 : segment.noDelete ? 2 : 0,
  }
}
