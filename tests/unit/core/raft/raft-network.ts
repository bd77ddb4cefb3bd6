/** Several test nodes and the wires between them; messages arrive in the order they were sent unless a test says otherwise. */
import { assert } from '../../../../src/core/base/assert.ts'
import { emptyConfState } from '../../../../src/core/raft/conf-change.ts'
import type { ConfChange, Message, MessageKind } from '../../../../src/core/raft/message.ts'
import type { ProposalOutcome } from '../../../../src/core/raft/raft-node.ts'
import { bytes, change, encodeChange, id, TestNode } from './raft-fixture.ts'
import type { NodeOptions } from './raft-fixture.ts'

export class TestNetwork {
  readonly nodes = new Map<number, TestNode>()
  /** Messages on their way. */
  readonly pending: Message[] = []
  /** Every message that was delivered, oldest first. */
  readonly delivered: Message[] = []
  private readonly cutLinks = new Set<string>()
  private readonly ignoredKinds = new Set<MessageKind>()

  /** `options` for all, `special` for single nodes; the members are the voters 1, 2, …, `count` unless said otherwise. */
  constructor(count: number, options: NodeOptions = {}, special: Record<number, NodeOptions> = {}) {
    const voters = Array.from({ length: count }, (_, position) => position + 1)
    for (const node of voters) {
      this.add(node, { voters, ...options, ...special[node] })
    }
  }

  /** A new cluster: its members are the first entries of the log, so that a newcomer learns of them from there. */
  static begin(count: number, options: NodeOptions = {}): TestNetwork {
    const network = new TestNetwork(count, { ...options, confState: emptyConfState })
    const peers = [...network.nodes.keys()].map((node) => ({
      id: id(node),
      data: encodeChange(change('addVoter', node)),
    }))
    for (const node of network.nodes.values()) node.raft.bootstrap(peers)
    network.settle()
    return network
  }

  add(node: number, options: NodeOptions): TestNode {
    const added = new TestNode(node, options)
    this.nodes.set(node, added)
    return added
  }

  node(node: number): TestNode {
    const found = this.nodes.get(node)
    assert(found !== undefined, `node ${node} is there`)
    return found
  }

  /** Both ways. */
  cut(left: number, right: number): void {
    this.cutLinks.add(`${left}>${right}`)
    this.cutLinks.add(`${right}>${left}`)
  }

  isolate(node: number): void {
    for (const other of this.nodes.keys()) if (other !== node) this.cut(node, other)
  }

  ignore(...kinds: MessageKind[]): void {
    for (const kind of kinds) this.ignoredKinds.add(kind)
  }

  /** All links and kinds work again. */
  recover(): void {
    this.cutLinks.clear()
    this.ignoredKinds.clear()
  }

  isLost(message: Message): boolean {
    return this.cutLinks.has(`${message.from}>${message.to}`) || this.ignoredKinds.has(message.kind)
  }

  /** Handles the Readys of all nodes, without delivering anything. */
  collect(): void {
    for (const node of this.nodes.values()) {
      for (const message of node.drain()) if (!this.isLost(message)) this.pending.push(message)
    }
  }

  /** Delivers until nothing moves. */
  settle(): void {
    this.collect()
    for (let count = 0; ; count++) {
      const message = this.pending.shift()
      if (message === undefined) return
      assert(count < 100_000, 'the network comes to rest')
      this.deliver(message)
      this.collect()
    }
  }

  deliver(message: Message): void {
    this.delivered.push(message)
    this.nodes.get(Number(message.to))?.raft.step(message)
  }

  /** Steps messages of a test's own making, then settles. */
  send(...messages: Message[]): void {
    this.pending.push(...messages)
    this.settle()
  }

  /** One tick after the other for all nodes, or for the given ones. */
  tick(count: number, nodes: readonly number[] = [...this.nodes.keys()]): void {
    for (let tick = 0; tick < count; tick++) {
      for (const node of nodes) this.node(node).raft.tick()
      this.settle()
    }
  }

  campaign(node: number): void {
    this.node(node).raft.campaign()
    this.settle()
  }

  propose(node: number, text = 'x'): ProposalOutcome {
    const outcome = this.node(node).raft.propose([bytes(text)])
    this.settle()
    return outcome
  }

  change(node: number, asked: ConfChange): ProposalOutcome {
    const data = asked.changes.length === 0 ? new Uint8Array(0) : encodeChange(asked)
    const outcome = this.node(node).raft.proposeConfChange({ kind: 'confChangeV2', data })
    this.settle()
    return outcome
  }

  roles(): string[] {
    return [...this.nodes.values()].map((node) => node.raft.role)
  }

  terms(): number[] {
    return [...this.nodes.values()].map((node) => node.raft.term)
  }

  logs(): string[][] {
    return [...this.nodes.values()].map((node) => node.log())
  }

  /** Whether these nodes agree on the leader and that one leads. */
  isLedBy(leader: number, followers: readonly number[] = [...this.nodes.keys()]): boolean {
    return (
      this.node(leader).raft.role === 'leader' &&
      followers.every((node) => this.node(node).raft.leader === id(leader))
    )
  }
}
