import { describeStatus } from '../../../../src/core/raft/describe.ts'
/**
 * A cluster whose every step is chosen from outside, and whose hosts can die between any two steps.
 *
 * A host works through a Ready in small steps: send the early messages, write, send the rest, apply entry by entry,
 * advance. Messages lie in a pool from which they are taken in any order, repeated or dropped. After each step the
 * promises of the Raft paper are checked over all nodes. Nothing is random here: equal commands make equal runs.
 */
import { assert } from '../../../../src/core/base/assert.ts'
import { noNode } from '../../../../src/core/base/ids.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { seededRandom } from '../../../../src/core/base/random.ts'
import { changeConfState, emptyConfState, isJoint } from '../../../../src/core/raft/conf-change.ts'
import { MemoryLogStorage } from '../../../../src/core/raft/memory-log-storage.ts'
import type {
  ConfChange,
  ConfState,
  HardState,
  Message,
  MessageKind,
  Snapshot,
} from '../../../../src/core/raft/message.ts'
import type { RaftConfig } from '../../../../src/core/raft/raft-config.ts'
import { RaftNode } from '../../../../src/core/raft/raft-node.ts'
import type { Ready } from '../../../../src/core/raft/ready.ts'
import { bytes, change, decodeChange, encodeChange, id } from './raft-fixture.ts'
import { RaftPromises } from './raft-promises.ts'

export type RandomOptions = Partial<
  Pick<RaftConfig, 'usesPreVote' | 'checksQuorum' | 'stepsDownOnRemoval' | 'plantedBugs'>
>

export const commandKinds = [
  'deliver',
  'repeat',
  'drop',
  'work',
  'finish',
  'tick',
  'campaign',
  'propose',
  'change',
  'read',
  'transfer',
  'crash',
  'compact',
  'flow',
  'split',
] as const

/** One choice: what to do, to which node, and a number for whatever else has to be picked. */
export interface Command {
  readonly kind: (typeof commandKinds)[number]
  readonly node: number
  readonly pick: number
}

/** How often each command is chosen. */
export const commandWeights: Readonly<Record<Command['kind'], number>> = {
  deliver: 60,
  repeat: 4,
  drop: 8,
  work: 40,
  finish: 20,
  tick: 16,
  campaign: 3,
  propose: 12,
  change: 3,
  read: 3,
  transfer: 2,
  crash: 4,
  compact: 3,
  flow: 6,
  split: 12,
}

/** Messages that claim something about the sender's disk. */
const vouchingKinds: ReadonlySet<MessageKind> = new Set<MessageKind>([
  'appendResponse',
  'voteResponse',
  'vote',
])

const nodeCount = 5
const firstVoters = [1, 2, 3]
const poolSizeMax = 200

/** One member: a disk, a state machine and, while it runs, a Raft node with a Ready at work. */
export class RandomHost {
  readonly number: number
  readonly storage: MemoryLogStorage = new MemoryLogStorage(() => this.makeSnapshot())
  /** The state machine: durable with every entry it takes. */
  appliedIndex = 0
  confState: ConfState = emptyConfState
  raft: RaftNode
  private readonly options: RandomOptions
  private readonly cluster: RandomCluster
  /** The last hard state that a sync has covered; a later commit index may be lost. */
  private syncedHardState: HardState = { term: 0, vote: noNode, commit: 0 }
  private work: (() => void)[] = []
  private startCount = 0

  constructor(number: number, cluster: RandomCluster, options: RandomOptions) {
    this.number = number
    this.cluster = cluster
    this.options = options
    this.raft = this.start()
  }

  /** Does the next small step of the Ready at work, or takes a new one. Whether there was something to do. */
  step(): boolean {
    const next = this.work.shift()
    if (next !== undefined) {
      next()
      return true
    }
    if (!this.raft.hasReady()) return false
    this.plan(this.raft.ready())
    return true
  }

  /** Finishes all work there is. */
  finish(): void {
    for (let count = 0; this.step(); count++) assert(count < 10_000, 'a host comes to rest')
  }

  /**
   * Loses everything that is not on disk and starts again. Of a write under way a beginning of the entries may have
   * reached the disk, decided by `pick`; of a commit index that was written without a sync nothing need have.
   */
  crash(pick: number): void {
    this.torn?.(pick)
    this.torn = undefined
    this.work = []
    if (pick % 2 === 0) this.storage.setHardState(this.syncedHardState)
    this.raft = this.start()
  }

  hasWork(): boolean {
    return this.work.length > 0
  }

  compact(pick: number): void {
    const { storage, appliedIndex } = this
    if (appliedIndex < storage.firstIndex()) return
    storage.compact(
      appliedIndex - (pick % 2 === 0 ? 0 : Math.min(2, appliedIndex - storage.firstIndex())),
    )
  }

  private torn: ((pick: number) => void) | undefined

  /** Made when it is asked for, of the state as it is then. */
  private makeSnapshot(): Snapshot | 'temporarilyUnavailable' {
    const { appliedIndex: index, confState } = this
    const term = this.storage.term(index)
    if (typeof term !== 'number' || index === 0) return 'temporarilyUnavailable'
    return { metadata: { index, term, confState }, data: bytes('') }
  }

  private start(): RaftNode {
    this.storage.setConfState(this.confState)
    this.startCount++
    const raft = new RaftNode({
      id: id(this.number),
      storage: this.storage,
      random: seededRandom(this.number * 1_000 + this.startCount),
      logger: silentLogger,
      applied: this.appliedIndex,
      electionTicks: 6,
      heartbeatTicks: 1,
      appendSizeBytesMax: 120,
      committedSizeBytesMax: 120,
      uncommittedSizeBytesMax: 2_000,
      inflightMessagesMax: 4,
      inflightSizeBytesMax: 0,
      readMode: 'quorum',
      forwardsProposals: true,
      usesPreVote: false,
      checksQuorum: false,
      stepsDownOnRemoval: false,
      ...this.options,
    })
    const isNew = this.startCount === 1 && firstVoters.includes(this.number)
    if (isNew) {
      raft.bootstrap(
        firstVoters.map((voter) => ({
          id: id(voter),
          data: encodeChange(change('addVoter', voter)),
        })),
      )
    }
    return raft
  }

  private plan(ready: Ready): void {
    const { cluster } = this
    const bugs = this.options.plantedBugs
    for (const message of ready.messages) {
      assert(
        bugs?.sendsVoteBeforePersist === true || !vouchingKinds.has(message.kind),
        'nothing that vouches for the disk leaves early',
      )
    }
    this.work.push(() => {
      cluster.send(this, ready.messages)
    })
    this.torn = (pick) => {
      // The entries come before the hard state in the log, so a tear leaves a beginning of them.
      if (ready.snapshot === undefined) this.storage.append(ready.entries.slice(0, pick % 4))
    }
    this.work.push(() => {
      this.persist(ready)
      this.torn = undefined
    })
    this.work.push(() => {
      cluster.send(this, ready.messagesAfterPersist)
      cluster.promises.noteReads(ready.readStates)
    })
    if (ready.snapshot !== undefined || ready.committedEntries.length > 0) this.planApply(ready)
    this.work.push(() => {
      this.raft.advance()
    })
  }

  private persist(ready: Ready): void {
    if (ready.snapshot !== undefined) this.storage.applySnapshot(ready.snapshot)
    this.storage.append(ready.entries)
    if (ready.hardState === undefined) return
    this.storage.setHardState(ready.hardState)
    if (ready.mustSync) this.syncedHardState = ready.hardState
    if (ready.snapshot === undefined) return
    // A received snapshot is installed in the same step, as the host's own order of files makes it seem.
    this.syncedHardState = ready.hardState
    this.appliedIndex = ready.snapshot.metadata.index
    this.confState = ready.snapshot.metadata.confState
    this.cluster.marks.snapshotInstalled++
  }

  private planApply(ready: Ready): void {
    for (const entry of ready.committedEntries) {
      this.work.push(() => {
        assert(entry.index === this.appliedIndex + 1, 'entries are applied once, without a gap')
        this.cluster.promises.noteApplied(entry)
        if (entry.kind !== 'normal') {
          this.confState = this.raft.applyConfChange(this.legalChange(decodeChange(entry)))
          if (isJoint(this.confState)) this.cluster.marks.jointEntered++
        }
        this.appliedIndex = entry.index
      })
    }
  }

  /** The rules of membership are the state machine's: what they refuse holds its place in the log and changes nothing. */
  private legalChange(asked: ConfChange): ConfChange {
    try {
      changeConfState(this.raft.confState, asked)
      return asked
    } catch {
      return change('addVoter', 0)
    }
  }
}

export class RandomCluster {
  readonly hosts: readonly RandomHost[]
  readonly promises: RaftPromises
  /** How often rare situations were met; a run in which they never are proves little. */
  readonly marks = {
    snapshotInstalled: 0,
    jointEntered: 0,
    crashedAtWork: 0,
    readAnswered: 0,
    leaders: 0,
  }
  private readonly pool: Message[] = []
  private proposalCount = 0

  constructor(options: RandomOptions) {
    this.hosts = Array.from(
      { length: nodeCount },
      (_, position) => new RandomHost(position + 1, this, options),
    )
    this.promises = new RaftPromises(this.hosts)
    this.flow(1)
  }

  run(commands: readonly Command[]): void {
    for (const command of commands) {
      this.execute(command)
      this.promises.check()
    }
    this.marks.readAnswered = this.promises.answeredReadCount
    this.marks.leaders = this.promises.leaderCount
  }

  send(host: RandomHost, messages: readonly Message[]): void {
    for (const message of messages) {
      this.promises.noteSent(host, message)
      this.pool.push(message)
    }
    const excess = this.pool.length - poolSizeMax
    if (excess > 0) this.lose(this.pool.splice(0, excess))
  }

  /**
   * The faults end: whoever is a member must soon agree on everything. Those who were removed do not campaign any more but
   * still answer: until the others know that a removal is committed, they may need the vote of the removed.
   */
  heal(): void {
    for (let round = 0; round < 150; round++) {
      for (const host of this.hosts) if (this.isMember(host.number)) host.raft.tick()
      this.flow(6)
      this.promises.check()
    }
    const members = this.hosts.filter((host) => this.isMember(host.number))
    const leaders = members.filter((host) => host.raft.role === 'leader')
    const leader = leaders[0]
    assert(
      leader !== undefined && leaders.length === 1,
      `a healed cluster has one leader: ${this.describe()}`,
    )
    this.proposalCount++
    assert(leader.raft.propose([bytes('last')]) === 'accepted', 'a healed cluster takes proposals')
    this.flow(20)
    for (let round = 0; round < 3; round++) {
      for (const host of members) host.raft.tick()
      this.flow(6)
    }
    const last = leader.appliedIndex
    assert(this.promises.hasApplied('last'), `a healed cluster commits: ${this.describe()}`)
    for (const host of members)
      assert(host.appliedIndex === last, `a healed cluster agrees: ${this.describe()}`)
  }

  private describe(): string {
    return this.hosts.map((host) => describeStatus(host.raft.status())).join('\n')
  }

  private execute({ kind, node, pick }: Command): void {
    const host = this.host(node)
    switch (kind) {
      case 'deliver':
        this.deliver(pick, 'taken')
        break
      case 'repeat':
        this.deliver(pick, 'kept')
        break
      case 'drop':
        if (this.pool.length > 0) this.lose(this.pool.splice(pick % this.pool.length, 1))
        break
      case 'work':
        host.step()
        break
      case 'finish':
        host.finish()
        break
      case 'tick':
        host.raft.tick()
        break
      case 'campaign':
        host.raft.campaign()
        break
      case 'propose':
        this.proposalCount++
        host.raft.propose([bytes(`p${this.proposalCount}`)])
        break
      case 'change':
        this.change(host, pick)
        break
      case 'read':
        this.promises.noteReadAsked(this.proposalCount)
        host.raft.readIndex(bytes(String(this.proposalCount++)))
        break
      case 'transfer':
        host.raft.transferLeader(id((pick % nodeCount) + 1))
        break
      case 'crash':
        if (host.hasWork()) this.marks.crashedAtWork++
        host.crash(pick)
        break
      case 'compact':
        host.compact(pick)
        break
      case 'flow':
        this.flow(pick % 3)
        break
      case 'split':
        this.flow(1 + (pick % 2), Math.floor(pick / 2) % 32)
        break
    }
  }

  private deliver(pick: number, fate: 'taken' | 'kept'): void {
    if (this.pool.length === 0) return
    const position = pick % this.pool.length
    const message = this.pool[position]
    if (fate === 'taken') this.pool.splice(position, 1)
    if (message !== undefined) this.take(message)
  }

  private take(message: Message): void {
    const host = this.host(Number(message.to) - 1)
    host.raft.step(message)
    // The transport reports what became of a snapshot; here it always arrives.
    if (message.kind === 'snapshot') {
      this.host(Number(message.from) - 1).raft.reportSnapshot(message.to, 'delivered')
    }
  }

  /** A transport tells what became of a snapshot, whatever it does not tell of other messages. */
  private lose(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.kind !== 'snapshot') continue
      this.host(Number(message.from) - 1).raft.reportSnapshot(message.to, 'failed')
    }
  }

  private change(host: RandomHost, pick: number): void {
    const actions = ['addVoter', 'addLearner', 'remove'] as const
    const action = actions[pick % 3] ?? 'addVoter'
    const target = (Math.floor(pick / 3) % nodeCount) + 1
    const other = (Math.floor(pick / 15) % nodeCount) + 1
    const asked =
      pick % 2 === 0 ? change(action, target) : change(action, target, 'addVoter', other)
    host.raft.proposeConfChange({ kind: 'confChangeV2', data: encodeChange(asked) })
  }

  /**
   * A calm stretch: everybody finishes, all messages arrive in order, a few times over. The bits of `side` split the
   * cluster in two meanwhile; what would cross is lost.
   */
  private flow(rounds: number, side = 0): void {
    const sideOf = (node: bigint): number => (side >> (Number(node) - 1)) & 1
    for (let round = 0; round < rounds; round++) {
      for (const host of this.hosts) host.finish()
      for (const message of this.pool.splice(0)) {
        if (sideOf(message.from) === sideOf(message.to)) this.take(message)
        else this.lose([message])
      }
    }
    for (const host of this.hosts) host.finish()
  }

  /** By the configuration of whoever has applied most. */
  private isMember(number: number): boolean {
    const newest = this.hosts.reduce((best, host) =>
      host.appliedIndex > best.appliedIndex ? host : best,
    )
    const { voters, votersOutgoing, learners } = newest.confState
    return [voters, votersOutgoing, learners].some((ids) => ids.includes(id(number)))
  }

  private host(position: number): RandomHost {
    const host = this.hosts[position % nodeCount]
    assert(host !== undefined, 'the host is there')
    return host
  }
}
