/**
 * One Raft node with a host that does everything at once and in order: persist, send, apply, advance. Nothing here waits
 * for time or chance; every test is a fixed sequence of calls.
 */
import { assert } from '../../../../src/core/base/assert.ts'
import { noNode, nodeId } from '../../../../src/core/base/ids.ts'
import type { NodeId } from '../../../../src/core/base/ids.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { seededRandom } from '../../../../src/core/base/random.ts'
import { MemoryLogStorage } from '../../../../src/core/raft/memory-log-storage.ts'
import type {
  ConfChange,
  ConfState,
  Entry,
  HardState,
  Message,
  MessageKind,
  Snapshot,
} from '../../../../src/core/raft/message.ts'
import type { RaftConfig } from '../../../../src/core/raft/raft-config.ts'
import { RaftNode } from '../../../../src/core/raft/raft-node.ts'
import type { ReadState, Ready } from '../../../../src/core/raft/ready.ts'

/** Ids in tests are small numbers. */
export const id = (value: number): NodeId => nodeId(BigInt(value))
export const ids = (...values: number[]): NodeId[] => values.map(id)

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const bytes = (text: string): Uint8Array => encoder.encode(text)
export const text = (data: Uint8Array): string => decoder.decode(data)

export function confStateOf(
  parts: Partial<Record<'voters' | 'learners' | 'votersOutgoing' | 'learnersNext', number[]>>,
  autoLeave = false,
): ConfState {
  return {
    voters: ids(...(parts.voters ?? [])),
    learners: ids(...(parts.learners ?? [])),
    votersOutgoing: ids(...(parts.votersOutgoing ?? [])),
    learnersNext: ids(...(parts.learnersNext ?? [])),
    autoLeave,
  }
}

/** Entries 1, 2, … with these terms; the payload names term and index, so that equal entries are equal. */
export function entriesOfTerms(terms: readonly number[], firstIndex = 1): Entry[] {
  return terms.map((term, position) => entryAt(firstIndex + position, term))
}

export function entryAt(index: number, term: number, data = `${term}:${index}`): Entry {
  return { index, term, kind: 'normal', data: bytes(data) }
}

export function snapshotAt(index: number, term: number, confState: ConfState): Snapshot {
  return { metadata: { index, term, confState }, data: bytes(`snapshot ${index}`) }
}

/** Membership changes travel as JSON here; Raft itself never looks at them. */
export function encodeChange(change: ConfChange): Uint8Array {
  return bytes(
    JSON.stringify(change, (_key, value: unknown) =>
      typeof value === 'bigint' ? { node: String(value) } : value,
    ),
  )
}

export function decodeChange(entry: Entry): ConfChange {
  if (entry.data.length === 0) return { transition: 'auto', changes: [] }
  const revive = (_key: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && 'node' in value && !('action' in value)
      ? nodeId(BigInt(String(value.node)))
      : value
  return JSON.parse(text(entry.data), revive) as ConfChange
}

type Action = ConfChange['changes'][number]['action']

/** `change('addVoter', 4)`; more pairs make a change of several parts. */
export function change(...parts: (Action | number)[]): ConfChange {
  const changes: ConfChange['changes'][number][] = []
  for (let position = 0; position < parts.length; position += 2) {
    changes.push({ action: parts[position] as Action, node: id(parts[position + 1] as number) })
  }
  return { transition: 'auto', changes }
}

export interface NodeOptions extends Partial<Omit<RaftConfig, 'id' | 'storage' | 'applied'>> {
  readonly confState?: ConfState
  readonly voters?: number[]
  readonly learners?: number[]
  /** Terms of the entries on disk, from index 1. */
  readonly logTerms?: readonly number[]
  readonly entries?: readonly Entry[]
  readonly hardState?: { readonly term: number; readonly vote?: number; readonly commit?: number }
  readonly applied?: number
  /** The stored snapshot that the log continues from. */
  readonly snapshot?: Snapshot
  readonly seed?: number
}

export const electionTicks = 10

function configOf(node: NodeId, storage: MemoryLogStorage, options: NodeOptions): RaftConfig {
  return {
    id: node,
    storage,
    random: options.random ?? seededRandom(options.seed ?? Number(node)),
    logger: options.logger ?? silentLogger,
    applied: options.applied ?? options.snapshot?.metadata.index ?? 0,
    electionTicks: options.electionTicks ?? electionTicks,
    heartbeatTicks: options.heartbeatTicks ?? 1,
    usesPreVote: options.usesPreVote ?? false,
    checksQuorum: options.checksQuorum ?? false,
    appendSizeBytesMax: options.appendSizeBytesMax ?? 1_048_576,
    committedSizeBytesMax: options.committedSizeBytesMax ?? 1_048_576,
    uncommittedSizeBytesMax: options.uncommittedSizeBytesMax ?? Number.POSITIVE_INFINITY,
    inflightMessagesMax: options.inflightMessagesMax ?? 256,
    inflightSizeBytesMax: options.inflightSizeBytesMax ?? 0,
    stepsDownOnRemoval: options.stepsDownOnRemoval ?? false,
    readMode: options.readMode ?? 'quorum',
    forwardsProposals: options.forwardsProposals ?? true,
    holdsCommitNotices: options.holdsCommitNotices ?? false,
    ...(options.plantedBugs === undefined ? {} : { plantedBugs: options.plantedBugs }),
  }
}

/** A node, its disk and its state machine. */
export class TestNode {
  readonly id: NodeId
  readonly storage = new MemoryLogStorage()
  /** What the state machine executed, in order. */
  readonly applied: Entry[] = []
  readonly reads: ReadState[] = []
  readonly snapshots: Snapshot[] = []
  raft: RaftNode
  private readonly options: NodeOptions
  private appliedIndex: number

  constructor(node: number, options: NodeOptions = {}) {
    this.id = id(node)
    this.options = options
    if (options.snapshot !== undefined) this.storage.applySnapshot(options.snapshot)
    else {
      const { voters = [1, 2, 3], learners = [] } = options
      this.storage.setConfState(options.confState ?? confStateOf({ voters, learners }))
    }
    const firstIndex = this.storage.firstIndex()
    this.storage.append(options.entries ?? entriesOfTerms(options.logTerms ?? [], firstIndex))
    if (options.hardState !== undefined) {
      const { term, vote = 0, commit = 0 } = options.hardState
      this.storage.setHardState({ term, vote: id(vote), commit })
    }
    this.appliedIndex = options.applied ?? options.snapshot?.metadata.index ?? 0
    this.raft = new RaftNode(configOf(this.id, this.storage, options))
  }

  /** Writes what a Ready asks to be written. */
  persist(ready: Ready): void {
    if (ready.snapshot !== undefined) this.storage.applySnapshot(ready.snapshot)
    this.storage.append(ready.entries)
    if (ready.hardState !== undefined) this.storage.setHardState(ready.hardState)
  }

  /** Feeds the state machine. */
  apply(ready: Ready): void {
    if (ready.snapshot !== undefined) {
      this.snapshots.push(ready.snapshot)
      this.appliedIndex = ready.snapshot.metadata.index
    }
    this.reads.push(...ready.readStates)
    for (const entry of ready.committedEntries) {
      assert(entry.index === this.appliedIndex + 1, 'entries are applied once, without a gap')
      this.appliedIndex = entry.index
      this.applied.push(entry)
      if (entry.kind === 'normal') continue
      this.storage.setConfState(this.raft.applyConfChange(decodeChange(entry)))
    }
  }

  /** Everything that one Ready asks for; what goes out, in order. */
  handleReady(): Message[] {
    const ready = this.raft.ready()
    this.persist(ready)
    this.apply(ready)
    this.raft.advance()
    return [...ready.messages, ...ready.messagesAfterPersist]
  }

  /** Handles Readys until there are none. */
  drain(): Message[] {
    const sent: Message[] = []
    for (let round = 0; this.raft.hasReady(); round++) {
      assert(round < 1_000, 'a node comes to rest')
      sent.push(...this.handleReady())
    }
    return sent
  }

  /** Steps a message and drains. */
  take(message: Message): Message[] {
    this.raft.step(message)
    return this.drain()
  }

  ticks(count: number): Message[] {
    const sent: Message[] = []
    for (let tick = 0; tick < count; tick++) {
      this.raft.tick()
      sent.push(...this.drain())
    }
    return sent
  }

  /** The process ends and starts again: only disk and state machine are left. */
  restart(options: NodeOptions = {}): void {
    const { hardState, confState } = this.storage.initialState()
    if (hardState !== undefined) this.storage.setHardState(hardState)
    this.storage.setConfState(confState)
    const applied = options.applied ?? this.appliedIndex
    this.raft = new RaftNode(
      configOf(this.id, this.storage, { ...this.options, ...options, applied }),
    )
  }

  /** All entries that this node believes in, durable or not, as term:index. */
  log(): string[] {
    const found: string[] = []
    const stored = this.storage.entries({
      low: this.storage.firstIndex(),
      high: this.storage.lastIndex() + 1,
      sizeBytesMax: Number.POSITIVE_INFINITY,
    })
    assert(typeof stored !== 'string', 'the whole log can be read')
    for (const entry of stored) found.push(`${entry.term}:${entry.index}`)
    return found
  }

  /** Payloads that the state machine executed, without empty entries and membership changes. */
  appliedTexts(): string[] {
    const proposed = this.applied.filter(({ kind, data }) => kind === 'normal' && data.length > 0)
    return proposed.map((entry) => text(entry.data))
  }

  hardState(): HardState {
    return this.storage.initialState().hardState ?? { term: 0, vote: noNode, commit: 0 }
  }
}

/** A node that won an election of `voters` by their votes; its first append is out and its own log is durable. */
export function leaderNode(options: NodeOptions = {}): TestNode {
  const node = new TestNode(1, options)
  node.raft.campaign()
  for (let round = 0; round < 4 && node.raft.role !== 'leader'; round++) {
    for (const message of node.drain()) {
      if (message.kind !== 'vote' && message.kind !== 'preVote') continue
      const { from: to, to: from, term } = message
      const kind = message.kind === 'vote' ? 'voteResponse' : 'preVoteResponse'
      node.raft.step({ kind, from, to, term, isRejected: false })
    }
  }
  assert(node.raft.role === 'leader', 'the node was elected')
  node.drain()
  return node
}

/** The member of the union that this kind belongs to. */
export type MessageOf<Kind extends MessageKind, M = Message> = M extends { readonly kind: infer K }
  ? Kind extends K
    ? M & { readonly kind: Kind }
    : never
  : never

type Body<Kind extends MessageKind> = Omit<MessageOf<Kind>, 'kind' | 'from' | 'to'>

/** A message on the wire, from one node to another. */
export function message<Kind extends MessageKind>(
  kind: Kind,
  route: readonly [from: number, to: number],
  body: Body<Kind>,
): Message {
  return { kind, from: id(route[0]), to: id(route[1]), ...body } as unknown as Message
}

/** An acknowledgement from a peer of node 1. */
export function ack(from: number, term: number, index: number): Message {
  return message('appendResponse', [from, 1], {
    term,
    index,
    isRejected: false,
    rejectHint: 0,
    hintTerm: 0,
  })
}

/** Those of one kind, typed. */
export function only<Kind extends MessageKind>(
  messages: readonly Message[],
  kind: Kind,
  to?: number,
): MessageOf<Kind>[] {
  return messages.filter(
    (candidate): candidate is Message & MessageOf<Kind> =>
      candidate.kind === kind && (to === undefined || candidate.to === id(to)),
  )
}

/** The only element. */
export function single<T>(values: readonly T[]): T {
  const value = values[0]
  assert(value !== undefined && values.length === 1, `one is expected, not ${values.length}`)
  return value
}
