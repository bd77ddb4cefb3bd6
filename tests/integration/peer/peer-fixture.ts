import { clusterId, type NodeId, nodeId } from '../../../src/core/base/ids.ts'
import { silentLogger } from '../../../src/core/base/logger.ts'
import { systemClock } from '../../../src/core/io/system-clock.ts'
import { HttpPeerTransport } from '../../../src/core/peer/http-peer-transport.ts'
import type { PeerTransportHost } from '../../../src/core/peer/peer-transport.ts'
import type {
  AppendMessage,
  Entry,
  Message,
  SnapshotMessage,
} from '../../../src/core/raft/message.ts'

/** Remembers what the transport told it. */
export class RecordingHost implements PeerTransportHost {
  readonly received: Message[] = []
  readonly unreachable: NodeId[] = []
  readonly snapshots: [NodeId, 'delivered' | 'failed'][] = []
  readonly removed = new Set<NodeId>()
  selfRemovedCount = 0
  onMessage: ((message: Message) => void) | undefined
  onSnapshot:
    ((message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>) => Promise<void>) | undefined

  receive(message: Message): void {
    this.received.push(message)
    this.onMessage?.(message)
  }

  async receiveSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    await this.onSnapshot?.(message, chunks)
    this.receive(message)
  }

  reportUnreachable(peer: NodeId): void {
    this.unreachable.push(peer)
  }

  reportSnapshot(peer: NodeId, outcome: 'delivered' | 'failed'): void {
    this.snapshots.push([peer, outcome])
  }

  isRemoved(peer: NodeId): boolean {
    return this.removed.has(peer)
  }

  reportSelfRemoved(): void {
    this.selfRemovedCount++
  }
}

export interface TestMember {
  readonly id: NodeId
  readonly transport: HttpPeerTransport
  readonly host: RecordingHost
  readonly url: string
}

export interface MemberOptions {
  readonly cluster?: bigint
  readonly port?: number
  readonly version?: string
}

/** A transport that listens on a free port of 127.0.0.1. */
export async function startMember(
  id: number | bigint,
  options: MemberOptions = {},
): Promise<TestMember> {
  const transport = new HttpPeerTransport(
    { clock: systemClock, logger: silentLogger },
    {
      nodeId: nodeId(BigInt(id)),
      clusterId: clusterId(options.cluster ?? 0xc1n),
      listenUrls: [`http://127.0.0.1:${options.port ?? 0}`],
      advertisedUrls: [`http://127.0.0.1:${options.port ?? 1}`],
      serverVersion: options.version ?? '3.7.1',
      membersAnswer: () => [{ id: 1 }],
      versionAnswer: () => ({ etcdserver: '3.7.1', etcdcluster: '3.7.0' }),
    },
  )
  const host = new RecordingHost()
  await transport.start(host)
  return { id: nodeId(BigInt(id)), transport, host, url: transport.boundUrls[0]! }
}

/** Makes every member know all others. */
export function introduce(members: readonly TestMember[]): void {
  for (const member of members) {
    for (const peer of members) member.transport.addPeer({ id: peer.id, peerUrls: [peer.url] })
  }
}

export async function until(
  condition: () => boolean,
  what: string,
  timeoutMs = 10_000,
): Promise<number> {
  const startMs = performance.now()
  while (!condition()) {
    if (performance.now() - startMs > timeoutMs)
      throw new Error(`waited ${timeoutMs} ms in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return performance.now() - startMs
}

export async function untilConnected(members: readonly TestMember[]): Promise<void> {
  await until(
    () =>
      members.every((member) =>
        members.every(
          (peer) => peer === member || member.transport.activeSinceMs(peer.id) !== undefined,
        ),
      ),
    'all members hear each other',
  )
  // Both streams of each direction are dialled at the same time; a moment lets the second one follow.
  await new Promise((resolve) => setTimeout(resolve, 50))
}

export function entriesFrom(
  first: number,
  count: number,
  data = new Uint8Array([1, 2, 3]),
): Entry[] {
  return Array.from({ length: count }, (_, at) => ({
    index: first + at,
    term: 2,
    kind: 'normal' as const,
    data,
  }))
}

export function appendOf(
  from: TestMember,
  to: TestMember,
  previousIndex: number,
  entries: readonly Entry[],
): AppendMessage {
  return {
    kind: 'append',
    from: from.id,
    to: to.id,
    term: 2,
    previousIndex,
    previousTerm: 2,
    entries,
    commit: previousIndex,
  }
}

export function heartbeatOf(from: TestMember, to: TestMember, commit: number): Message {
  return {
    kind: 'heartbeat',
    from: from.id,
    to: to.id,
    term: 2,
    commit,
    context: new Uint8Array(0),
  }
}

export function snapshotOf(from: TestMember, to: TestMember, index: number): SnapshotMessage {
  const confState = {
    voters: [from.id, to.id],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  }
  return {
    kind: 'snapshot',
    from: from.id,
    to: to.id,
    term: 2,
    snapshot: { data: new Uint8Array(0), metadata: { index, term: 2, confState } },
  }
}
