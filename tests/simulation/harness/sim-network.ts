/**
 * The network between simulated nodes: each Raft message travels on its own, the worst case for the core.
 *
 * Per directed pair there is a latency, and what the faults of the run allow: loss, duplication, reordering, slowness and
 * being cut. Without the fault "reordered" a link keeps its order. A snapshot travels chunk by chunk and breaks when its
 * link is cut or one of its ends dies.
 */
import type { NodeId } from '../../../src/core/base/ids.ts'
import type { Random } from '../../../src/core/base/random.ts'
import type {
  PeerAddress,
  PeerTransport,
  PeerTransportHost,
} from '../../../src/core/peer/peer-transport.ts'
import type { Message, SnapshotMessage } from '../../../src/core/raft/message.ts'
import { describeMessage } from './describe-message.ts'
import type { SimProcess, SimScheduler } from './sim-scheduler.ts'

/** Rates per message, in [0, 1]. */
export interface LinkFaultRates {
  readonly lossRate: number
  readonly duplicateRate: number
  /** Share of messages that may overtake or be overtaken. */
  readonly reorderRate: number
}

/** No fault on any link. */
export const faultlessLink: LinkFaultRates = { lossRate: 0, duplicateRate: 0, reorderRate: 0 }

/** Seen by the checkers; called in the moment of the event. */
export interface NetworkObserver {
  /** A live node gave a message away. */
  sent(message: Message, sender: SimProcess): void
  /** A live node is about to get a message. */
  delivered(message: Message, receiver: SimProcess): void
}

/** The longest silence after which a sender reports that a peer cannot be reached. */
const unreachableDelayUs = 50_000

/** What travels at once of a snapshot. */
const snapshotPieceSizeBytes = 2_048

/** All links between the nodes of a run. */
export class SimNetwork {
  rates: LinkFaultRates = faultlessLink
  observer: NetworkObserver | undefined
  readonly scheduler: SimScheduler
  readonly random: Random
  private readonly transports = new Map<NodeId, SimTransport>()
  /** How many partitions cut a link now. */
  private readonly cutLinks = new Map<string, number>()
  /** Links of a healed core, which no fault touches any more. */
  private readonly healedLinks = new Set<string>()
  private readonly slowLinks = new Map<string, number>()
  private readonly lastArrivalUs = new Map<string, number>()

  constructor(scheduler: SimScheduler, random: Random) {
    this.scheduler = scheduler
    this.random = random
  }

  /** The transport of one life of a node. */
  createTransport(id: NodeId, process: SimProcess): PeerTransport {
    return new SimTransport(this, id, process)
  }

  /** Cuts the way from one node to another, once more; the way back is another link. */
  cut(source: NodeId, target: NodeId): void {
    const link = linkName(source, target)
    this.cutLinks.set(link, (this.cutLinks.get(link) ?? 0) + 1)
  }

  /** Takes back one {@link cut}. */
  mend(source: NodeId, target: NodeId): void {
    const link = linkName(source, target)
    const count = this.cutLinks.get(link) ?? 0
    if (count > 1) this.cutLinks.set(link, count - 1)
    else this.cutLinks.delete(link)
  }

  isCut(source: NodeId, target: NodeId): boolean {
    const link = linkName(source, target)
    return this.cutLinks.has(link) && !this.healedLinks.has(link)
  }

  /** Multiplies the latency of a link; 1 is normal. */
  setSlowness(source: NodeId, target: NodeId, factor: number): void {
    if (factor === 1) this.slowLinks.delete(linkName(source, target))
    else this.slowLinks.set(linkName(source, target), factor)
  }

  /** Makes the links among these nodes faultless for the rest of the run, and leaves all others as they are. */
  healAmong(ids: readonly NodeId[]): void {
    for (const source of ids) {
      for (const target of ids) this.healedLinks.add(linkName(source, target))
    }
  }

  /** Mends and speeds up everything, for good. */
  heal(): void {
    this.cutLinks.clear()
    this.slowLinks.clear()
    this.rates = faultlessLink
  }

  /** For transports only. */
  join(id: NodeId, transport: SimTransport): void {
    this.transports.set(id, transport)
  }

  /** For transports only. */
  leave(id: NodeId, transport: SimTransport): void {
    if (this.transports.get(id) === transport) this.transports.delete(id)
  }

  /** The running transport of a node, if there is one. */
  find(id: NodeId): SimTransport | undefined {
    const transport = this.transports.get(id)
    return transport?.process.isAlive === true ? transport : undefined
  }

  /** Breaks everything on its way to or from a node that has just died. */
  abandon(id: NodeId): void {
    this.transports.get(id)?.abandon()
  }

  /** Whether something sent now would get through. */
  isReachable(source: NodeId, target: NodeId): boolean {
    return !this.isCut(source, target) && this.find(target) !== undefined
  }

  /** Log-normal with a median of 1 ms and a tail to 500 ms. */
  latencyUs(source: NodeId, target: NodeId): number {
    const normal =
      Math.sqrt(-2 * Math.log(1 - this.random.fraction())) *
      Math.cos(2 * Math.PI * this.random.fraction())
    const link = linkName(source, target)
    const factor = this.healedLinks.has(link) ? 1 : (this.slowLinks.get(link) ?? 1)
    return Math.min(500_000, 1_000 * Math.exp(0.6 * normal) * factor)
  }

  /** Takes one message on its way. */
  transmit(sender: SimTransport, message: Message): void {
    const { scheduler, random } = this
    this.observer?.sent(message, sender.process)
    scheduler.trace.mixText(message.kind)
    scheduler.trace.mix(message.term)
    const source = sender.id
    const target = message.to
    const link = linkName(source, target)
    const rates = this.healedLinks.has(link) ? faultlessLink : this.rates
    if (!this.isReachable(source, target)) {
      sender.noteUnreachable(target)
      return
    }
    if (random.fraction() < rates.lossRate) return
    // A forwarded request travels on a connection that never doubles what it carries, and nothing below the client removes
    // doubles, in etcd neither: a second copy would be a second write. All other messages may come twice.
    const isDoubled = random.fraction() < rates.duplicateRate && message.kind !== 'propose'
    const copyCount = isDoubled ? 2 : 1
    for (let copy = 0; copy < copyCount; copy++) {
      let arrivalUs = scheduler.nowUs + this.latencyUs(source, target)
      if (random.fraction() < rates.reorderRate) {
        arrivalUs += random.below(100_000)
      } else {
        arrivalUs = Math.max(arrivalUs, this.lastArrivalUs.get(link) ?? 0)
        this.lastArrivalUs.set(link, arrivalUs)
      }
      const receiver = this.find(target)
      const label = {
        kind: 'message',
        process: receiver?.process,
        describe: (): string => describeMessage(message),
      }
      scheduler.schedule(arrivalUs - scheduler.nowUs, label, () => {
        if (!this.isCut(source, target)) receiver?.deliver(message)
      })
    }
  }
}

function linkName(source: NodeId, target: NodeId): string {
  return `${source.toString(16)}>${target.toString(16)}`
}

/** {@link PeerTransport} of one life of a node. */
export class SimTransport implements PeerTransport {
  readonly id: NodeId
  readonly process: SimProcess
  /** Snapshots on their way from or to this node. */
  private readonly transfers = new Set<ChunkQueue>()
  private readonly network: SimNetwork
  private host: PeerTransportHost | undefined
  private readonly peers = new Map<NodeId, { sinceMs: number; isReportedUnreachable: boolean }>()

  constructor(network: SimNetwork, id: NodeId, process: SimProcess) {
    this.network = network
    this.id = id
    this.process = process
  }

  start(host: PeerTransportHost): Promise<void> {
    this.host = host
    this.network.join(this.id, this)
    return Promise.resolve()
  }

  send(messages: readonly Message[]): void {
    if (!this.process.isAlive || this.host === undefined) return
    for (const message of messages) {
      if (this.peers.has(message.to)) this.network.transmit(this, message)
    }
  }

  sendSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): void {
    if (!this.process.isAlive || this.host === undefined) return
    this.network.observer?.sent(message, this.process)
    void this.transferSnapshot(message, chunks)
  }

  addPeer(peer: PeerAddress): void {
    if (peer.id === this.id || this.peers.has(peer.id)) return
    this.peers.set(peer.id, {
      sinceMs: this.network.scheduler.nowUs / 1_000,
      isReportedUnreachable: false,
    })
  }

  updatePeer(): void {
    // Addresses mean nothing here: nodes are found by id.
  }

  removePeer(peer: NodeId): void {
    this.peers.delete(peer)
  }

  activeSinceMs(peer: NodeId): number | undefined {
    const known = this.peers.get(peer)
    return known !== undefined && this.network.isReachable(this.id, peer)
      ? known.sinceMs
      : undefined
  }

  stop(): Promise<void> {
    this.network.leave(this.id, this)
    this.host = undefined
    this.abandon()
    return Promise.resolve()
  }

  /** A message has arrived. */
  deliver(message: Message): void {
    if (this.host === undefined) return
    const peer = this.peers.get(message.from)
    if (peer !== undefined) peer.isReportedUnreachable = false
    if (this.host.isRemoved(message.from)) {
      this.network.find(message.from)?.host?.reportSelfRemoved()
      return
    }
    this.network.observer?.delivered(message, this.process)
    this.host.receive(message)
  }

  /** Tells the host that a peer cannot be reached, once until it is heard again. */
  noteUnreachable(target: NodeId): void {
    const peer = this.peers.get(target)
    if (peer === undefined || peer.isReportedUnreachable) return
    peer.isReportedUnreachable = true
    peer.sinceMs = this.network.scheduler.nowUs / 1_000
    this.network.scheduler.schedule(
      unreachableDelayUs,
      { kind: 'unreachable', process: this.process },
      () => {
        this.host?.reportUnreachable(target)
        // Streams are dialled again all the time: a peer that stays away is reported again.
        peer.isReportedUnreachable = false
      },
    )
  }

  /** Both ends of every snapshot on its way break when this life ends. */
  abandon(): void {
    for (const queue of [...this.transfers]) queue.fail(new Error('the other end died (simulated)'))
    this.transfers.clear()
  }

  private async transferSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const { network } = this
    const receiver = network.isReachable(this.id, message.to) ? network.find(message.to) : undefined
    const queue = new ChunkQueue()
    this.transfers.add(queue)
    receiver?.transfers.add(queue)
    let outcome: Promise<'delivered' | 'failed'> | undefined
    try {
      for await (const chunk of piecesOf(chunks)) {
        if (receiver === undefined || !(await this.travel(message.to, receiver, queue))) break
        outcome ??= receiver.takeSnapshot(message, queue)
        queue.push(Uint8Array.prototype.slice.call(chunk))
      }
      if (outcome === undefined) queue.fail(new Error('the peer cannot be reached (simulated)'))
      else queue.end()
    } catch (failure) {
      // The sender's own view ended early (the node stops): the receiver sees a broken stream.
      if (!(failure instanceof Error)) throw failure
      queue.fail(failure)
    }
    const isDelivered = outcome !== undefined && (await outcome) === 'delivered'
    this.transfers.delete(queue)
    receiver?.transfers.delete(queue)
    if (!this.process.isAlive) return
    network.scheduler.schedule(
      network.latencyUs(this.id, message.to),
      { kind: 'snapshot report', process: this.process },
      () => {
        this.host?.reportSnapshot(message.to, isDelivered ? 'delivered' : 'failed')
      },
    )
  }

  /** One trip to the target; false when the stream is broken. It ends in an event of the receiver. */
  private travel(target: NodeId, receiver: SimTransport, queue: ChunkQueue): Promise<boolean> {
    const { network } = this
    return new Promise((resolve) => {
      queue.onBroken.push(() => {
        resolve(false)
      })
      const label = { kind: 'snapshot chunk', process: receiver.process }
      network.scheduler.schedule(network.latencyUs(this.id, target), label, () => {
        const isThere =
          network.isReachable(this.id, target) &&
          receiver.host !== undefined &&
          this.process.isAlive
        if (!isThere) queue.fail(new Error('snapshot stream was cut (simulated)'))
        resolve(isThere && !queue.isBroken)
      })
    })
  }

  private async takeSnapshot(
    message: SnapshotMessage,
    queue: ChunkQueue,
  ): Promise<'delivered' | 'failed'> {
    if (this.host === undefined) return 'failed'
    this.network.observer?.delivered(message, this.process)
    const broken = new Promise<'failed'>((resolve) => {
      queue.onBroken.push(() => {
        resolve('failed')
      })
    })
    const stored = this.host.receiveSnapshot(message, queue).then(
      (): 'delivered' => 'delivered',
      (): 'failed' => 'failed',
    )
    return await Promise.race([stored, broken])
  }
}

/** Small pieces, so that a transfer has many places to break. */
async function* piecesOf(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += snapshotPieceSizeBytes) {
      yield chunk.subarray(start, start + snapshotPieceSizeBytes)
    }
  }
}

/** Chunks on their way into a receiver. */
class ChunkQueue implements AsyncIterable<Uint8Array> {
  readonly onBroken: (() => void)[] = []
  private readonly chunks: Uint8Array[] = []
  private state: 'open' | 'ended' | Error = 'open'
  private wake: (() => void) | undefined

  get isBroken(): boolean {
    return this.state instanceof Error
  }

  push(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.wake?.()
  }

  end(): void {
    if (this.state === 'open') this.state = 'ended'
    this.wake?.()
  }

  fail(failure: Error): void {
    if (this.isBroken) return
    this.state = failure
    for (const listener of this.onBroken.splice(0)) listener()
    this.wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      if (this.state instanceof Error) throw this.state
      const chunk = this.chunks.shift()
      if (chunk !== undefined) {
        yield chunk
        continue
      }
      if (this.state === 'ended') return
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }
}
