/** Three local nodes that can be stopped, killed and started, and what their members tell. */

import type { ClusterSnapshot, MemberInfo } from '../../src/preload/contract/cluster.ts'
import type { NodeInfo, NodeLogLine, PlaygroundInfo } from '../../src/preload/contract/node.ts'
import type { FakeStore } from './fake-store.ts'

export const connectionId = 'playground'
const electionMs = 900
const startMs = 300

interface FakeNode {
  info: NodeInfo
  readonly id: bigint
}

/** Nodes with one leader among those that run, if they are a majority. */
export class FakeCluster {
  term = 2
  leaderName: string | undefined = 'node2'
  private readonly nodes: FakeNode[]
  private readonly store: FakeStore
  private readonly changed = new Set<() => void>()
  private readonly logged = new Set<(line: NodeLogLine) => void>()
  readonly lines: NodeLogLine[] = []

  constructor(store: FakeStore, sinceMs: number) {
    this.store = store
    this.nodes = ['node1', 'node2', 'node3'].map((name, index) => ({
      id: 0x8e9e05c52164694dn + BigInt(index) * 0x1111n,
      info: {
        name,
        state: 'running',
        processId: 4100 + index,
        clientUrl: `http://127.0.0.1:${String(2379 + index * 100)}`,
        peerUrl: `http://127.0.0.1:${String(2380 + index * 100)}`,
        sinceMs,
        startCount: 1,
      },
    }))
    for (const { info } of this.nodes) this.log(info.name, 'info', 'ready to serve client requests')
    this.log('node2', 'info', 'became leader', { term: 2 })
  }

  get playground(): PlaygroundInfo {
    return { connectionId, nodes: this.nodes.map((node) => node.info) }
  }

  get hasQuorum(): boolean {
    return this.runningNames().length * 2 > this.nodes.length && this.leaderName !== undefined
  }

  /** Ends a node's process at once, or in good order. */
  end(name: string, how: 'killed' | 'stopped'): void {
    this.set(name, { state: how, sinceMs: Date.now() })
    this.log(name, 'warn', how === 'killed' ? 'process ended by SIGKILL' : 'stopped')
    if (this.leaderName === name) this.loseLeader()
    if (this.runningNames().length * 2 <= this.nodes.length) this.loseLeader()
  }

  start(name: string): void {
    const startCount =
      (this.nodes.find((node) => node.info.name === name)?.info.startCount ?? 0) + 1
    this.set(name, { state: 'starting', sinceMs: Date.now(), startCount })
    setTimeout(() => {
      this.set(name, { state: 'running', sinceMs: Date.now(), processId: 5000 + startCount })
      this.log(name, 'info', 'ready to serve client requests')
      if (this.leaderName === undefined) this.loseLeader()
    }, startMs)
  }

  snapshot(): ClusterSnapshot {
    const members = this.nodes.map((node) => this.memberOf(node))
    const leader = this.nodes.find((node) => node.info.name === this.leaderName)
    return {
      observedAtMs: Date.now(),
      clusterId: 0xcdf818194e3a8c32n,
      members,
      ...(leader === undefined ? {} : { leaderId: leader.id }),
      term: this.term,
      headRevision: this.store.revision,
      quorumSize: 2,
      hasQuorum: this.hasQuorum,
    }
  }

  onChange(listener: () => void): () => void {
    this.changed.add(listener)
    return () => this.changed.delete(listener)
  }

  onLog(listener: (line: NodeLogLine) => void): () => void {
    this.logged.add(listener)
    return () => this.logged.delete(listener)
  }

  private loseLeader(): void {
    this.leaderName = undefined
    this.tell()
    setTimeout(() => {
      const running = this.runningNames()
      if (this.leaderName !== undefined || running.length * 2 <= this.nodes.length) return
      this.term++
      this.leaderName = running[this.term % running.length]
      this.log(this.leaderName ?? '', 'info', 'became leader', { term: this.term })
      this.tell()
    }, electionMs)
  }

  private runningNames(): readonly string[] {
    return this.nodes.filter((node) => node.info.state === 'running').map((node) => node.info.name)
  }

  private memberOf(node: FakeNode): MemberInfo {
    const { info } = node
    const isUp = info.state === 'running'
    const role =
      info.name === this.leaderName
        ? 'leader'
        : this.leaderName === undefined
          ? 'candidate'
          : 'follower'
    return {
      id: node.id,
      name: info.name,
      peerUrls: [info.peerUrl],
      clientUrls: [info.clientUrl],
      isLearner: false,
      role: isUp ? role : 'unknown',
      reachability: isUp
        ? { kind: 'reachable', latencyMs: 1.8 }
        : { kind: 'unreachable', reason: 'connection refused' },
      status: {
        version: '3.7.1',
        term: this.term,
        raftIndex: this.store.revision + 12,
        raftAppliedIndex: this.store.revision + 12,
        dbSizeBytes: 48_000_000,
        dbSizeInUseBytes: 31_000_000,
        dbSizeQuotaBytes: 2_147_483_648,
        leaderId: this.leaderName === undefined ? 0n : node.id,
        revision: this.store.revision,
        errors: [],
      },
      alarms: [],
    }
  }

  private set(name: string, change: Partial<NodeInfo>): void {
    const isGone = change.state === 'killed' || change.state === 'stopped'
    for (const node of this.nodes) {
      if (node.info.name !== name) continue
      const info: Partial<NodeInfo> = { ...node.info, ...change }
      if (isGone) delete (info as { processId?: number }).processId
      node.info = info as NodeInfo
    }
    this.tell()
  }

  private tell(): void {
    for (const listener of this.changed) listener()
  }

  private log(
    nodeName: string,
    level: NodeLogLine['level'],
    message: string,
    fields?: object,
  ): void {
    const line = {
      nodeName,
      level,
      atMs: Date.now(),
      message,
      fieldsText: fields === undefined ? '' : JSON.stringify(fields),
    }
    this.lines.push(line)
    for (const listener of this.logged) listener(line)
  }
}
