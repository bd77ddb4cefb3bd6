/**
 * Finds members whose data differs from that of the others.
 *
 * The problem: all members apply the same entries, so all must hold the same; one whose disk or memory lies goes on
 * answering, with something else. The plain idea: compare hashes over the key space at the same revision, and only between
 * members that have compacted equally far. At a start, a member that differs from another does not serve. While the cluster
 * runs, the leader asks everybody, and raises the alarm CORRUPT for the member that differs: then all refuse to change keys,
 * until somebody has looked after it. Example: at revision 90 the leader's hash is 1, one follower says 1, the other 2: the
 * alarm names the other. A follower that has not reached 90 says so, and is left alone.
 *
 * Source: etcd, `corruptionChecker`; the questions between members are etcd's too.
 *
 *     GET /members/hashkv {"revision":90}  →  {"header":{…},"hash":1,"compact_revision":-1,"hash_revision":90}
 */
import type { LoggedRequest } from '../apply/request-envelope.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { hexId, noNode, type NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Member } from '../membership/member.ts'
import type { HashResult } from '../mvcc/mvcc-store.ts'
import { AlarmRequest_AlarmAction, AlarmType } from '../proto/gen/rpc.ts'
import type { AskPeer } from './leader-leases.ts'
import type { CorruptionCheckOptions } from './node-config.ts'
import { askForHash, type PeerHash } from './peer-hash.ts'

/** A member that differs from the others cannot serve. */
export class InconsistentData extends Error {
  override readonly name = 'InconsistentData'
}

export interface CorruptionCheckParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly memberId: NodeId
  readonly members: () => readonly Member[]
  readonly isLeader: () => boolean
  readonly askPeer: AskPeer
  /** Of this member. @throws StoreError */
  readonly hashAt: (revision: number) => Promise<HashResult>
  readonly currentRevision: () => number
  /** What this member had at its latest compactions, the newest first. */
  readonly compactionHashes: () => readonly HashResult[]
  /** @throws StoreError as every linearizable read */
  readonly confirm: () => Promise<void>
  readonly propose: (request: LoggedRequest) => Promise<unknown>
}

/** Compares between `start` and `stop`; of effect on the leader. */
export class CorruptionCheck {
  private readonly parts: CorruptionCheckParts
  private readonly options: CorruptionCheckOptions
  private readonly timers = new Map<string, Timer>()
  private isRunning = false
  private isChecking = false
  /** Compactions up to this revision have been found to be alike everywhere. */
  private checkedCompaction = 0

  constructor(parts: CorruptionCheckParts, options: CorruptionCheckOptions) {
    this.parts = parts
    this.options = options
  }

  start(): void {
    this.isRunning = true
    const { intervalMs, compactionIntervalMs } = this.options
    if (intervalMs > 0) this.repeat('all', intervalMs, () => this.compareAll())
    if (compactionIntervalMs > 0) {
      this.repeat('compactions', compactionIntervalMs, () => this.compareCompactions())
    }
  }

  stop(): void {
    this.isRunning = false
    for (const timer of this.timers.values()) timer.cancel()
    this.timers.clear()
  }

  /**
   * To be called before anything is served.
   * @throws InconsistentData when another member holds something else at this member's revision
   */
  async compareAtStart(): Promise<void> {
    const { logger, memberId, hashAt } = this.parts
    const own = await hashAt(0)
    logger.info('starting initial corruption check', { member: hexId(memberId) })
    let differentCount = 0
    for (const { member, answer } of await this.askOthers(own.hashRevision)) {
      const fields = { member: hexId(member), revision: own.hashRevision }
      if (answer.kind !== 'hash') {
        logger.warn('cannot fetch hash from remote peer', { ...fields, reason: answer.kind })
      } else if (answer.hash !== own.hash && answer.compactedRevision === own.compactedRevision) {
        logger.warn('found different hash values from remote peer', {
          ...fields,
          'local-hash': own.hash,
          'remote-hash': answer.hash,
        })
        differentCount++
      } else if (answer.hash !== own.hash) {
        logger.warn('found different compact revision values from remote peer', fields)
      }
    }
    if (differentCount > 0) {
      throw new InconsistentData(`${hexId(memberId)} found data inconsistency with peers`)
    }
    logger.info('initial corruption checking passed; no corruption', { member: hexId(memberId) })
  }

  private repeat(name: string, intervalMs: number, check: () => Promise<void>): void {
    if (!this.isRunning) return
    const timer = this.parts.clock.setTimer(intervalMs, () => {
      this.run(check)
      this.repeat(name, intervalMs, check)
    })
    this.timers.set(name, timer)
  }

  private run(check: () => Promise<void>): void {
    if (!this.isRunning || this.isChecking || !this.parts.isLeader()) return
    this.isChecking = true
    check()
      .catch((error: unknown) => {
        this.parts.logger.warn('failed to check hash KV', { reason: String(error) })
      })
      .finally(() => {
        this.isChecking = false
      })
  }

  private async compareAll(): Promise<void> {
    const { logger, memberId, hashAt, confirm, currentRevision } = this.parts
    const first = await hashAt(0)
    const answers = await this.askOthers(first.hashRevision)
    await confirm()
    const second = await hashAt(0)
    const revision = currentRevision()
    const suspects: NodeId[] = []
    const isSameState =
      first.hashRevision === second.hashRevision &&
      first.compactedRevision === second.compactedRevision
    if (isSameState && first.hash !== second.hash) suspects.push(memberId)
    let checkedCount = 0
    for (const { member, answer } of answers) {
      if (answer.kind !== 'hash') continue
      checkedCount++
      // Nobody may be ahead of the leader after a linearizable read of its own.
      const isAhead =
        answer.currentRevision > revision || answer.compactedRevision > second.compactedRevision
      const differs =
        answer.compactedRevision === first.compactedRevision && answer.hash !== first.hash
      if (isAhead || differs) suspects.push(member)
    }
    const [suspect] = suspects
    if (suspect !== undefined) await this.raiseAlarm(suspect)
    logger.info('finished peer corruption check', { 'number-of-peers-checked': checkedCount })
  }

  /** The newest compaction that all others had too; older ones need not be looked at once that one was alike. */
  private async compareCompactions(): Promise<void> {
    const { logger, compactionHashes } = this.parts
    const others = this.others()
    for (const own of compactionHashes()) {
      if (own.hashRevision <= this.checkedCompaction) break
      const answers = await this.askOthers(own.hashRevision)
      const comparable = answers.filter(
        ({ answer }) =>
          answer.kind === 'hash' && answer.compactedRevision === own.compactedRevision,
      )
      const suspects = this.suspectsOf(own, comparable, others.length + 1)
      for (const suspect of suspects) await this.raiseAlarm(suspect)
      if (suspects.length > 0) return
      if (comparable.length === others.length) {
        this.checkedCompaction = own.hashRevision
        logger.info('finished compaction hash check', { 'number-of-hashes-checked': 1 })
        return
      }
    }
    logger.info('finished compaction hash check', { 'number-of-hashes-checked': 0 })
  }

  /** Who differs from a quorum; where no quorum agrees, nobody knows who is wrong, which is said by the member 0. */
  private suspectsOf(
    own: HashResult,
    answers: readonly PeerHashOf[],
    memberCount: number,
  ): readonly NodeId[] {
    const membersByHash = new Map<number, NodeId[]>([[own.hash, [this.parts.memberId]]])
    for (const { member, answer } of answers) {
      if (answer.kind !== 'hash') continue
      const alike = membersByHash.get(answer.hash) ?? []
      alike.push(member)
      membersByHash.set(answer.hash, alike)
    }
    if (membersByHash.size <= 1) return []
    const quorum = Math.floor(memberCount / 2) + 1
    const right = [...membersByHash.values()].find((members) => members.length >= quorum)
    if (right === undefined) return [noNode]
    return [...membersByHash.values()].filter((members) => members !== right).flat()
  }

  private others(): readonly Member[] {
    const { members, memberId } = this.parts
    return members().filter((member) => member.id !== memberId)
  }

  private askOthers(revision: number): Promise<readonly PeerHashOf[]> {
    const { askPeer, logger } = this.parts
    return Promise.all(
      this.others().map(async (member) => {
        const answer = await askForHash(askPeer, member.peerUrls, revision)
        if (answer.kind === 'unreachable') {
          logger.warn('failed hash kv request', { member: hexId(member.id), reason: answer.reason })
        }
        return { member: member.id, answer }
      }),
    )
  }

  private async raiseAlarm(member: NodeId): Promise<void> {
    if (!this.isRunning) return
    const { logger, propose } = this.parts
    logger.error('data corruption detected', { member: hexId(member) })
    await propose({
      kind: 'alarm',
      request: {
        action: AlarmRequest_AlarmAction.ACTIVATE,
        memberID: member,
        alarm: AlarmType.CORRUPT,
      },
    })
  }
}

interface PeerHashOf {
  readonly member: NodeId
  readonly answer: PeerHash
}
