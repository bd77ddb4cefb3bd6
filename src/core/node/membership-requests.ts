/**
 * Changes of who belongs to the cluster, as clients ask for them.
 *
 * Whether a change would cost the cluster its majority is judged here, before it is proposed, from what this member sees;
 * whether it is possible at all is judged where it is applied. Promotion is the leader's to judge, because only it knows how
 * far a learner has come; other members pass the question on. Source: etcd v3 API, Cluster.
 */
import { encodeMembershipEntry } from '../apply/apply-membership.ts'
import type { ApplyResult } from '../apply/apply-result.ts'
import { assert } from '../base/assert.ts'
import { delay, type Clock } from '../base/clock.ts'
import { hexId, nodeId, noNode, type NodeId, type RequestId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { StoreErrorCode } from '../errors/error-table.ts'
import type { MembershipChange } from '../membership/cluster-membership.ts'
import { deriveMemberId, type Sha1 } from '../membership/member-id.ts'
import type { Member } from '../membership/member.ts'
import type { RaftStatus } from '../raft/ready.ts'
import type { AskPeer, PeerAnswer } from './leader-leases.ts'
import type { PeerDirectory } from './peer-directory.ts'
import { checkAddition, checkPromotion, checkRemoval, type ClusterHealth } from './quorum-rules.ts'

/** A connection counts once it has held this long; etcd's figure. */
const healthyMs = 5_000

/** How far a learner must have come, as a share of the leader's log; etcd's figure. */
const promotableShare = 0.9

const leaderRetryMs = 50

/** Prefix of the path on the peer port that promotes; the id follows, in decimal. */
export const promotePath = '/members/promote/'

export interface MembershipRequestsParts {
  readonly clock: Clock
  readonly sha1: Sha1
  readonly memberId: NodeId
  readonly members: () => readonly Member[]
  readonly peers: PeerDirectory
  readonly raft: () => RaftStatus
  readonly askPeer: AskPeer
  /** Puts a configuration entry into the log and waits for its effect. */
  readonly propose: (encode: (id: RequestId) => Uint8Array) => Promise<ApplyResult>
}

/** The door for requests about members. */
export class MembershipRequests {
  private readonly parts: MembershipRequestsParts
  private readonly options: { readonly isStrict: boolean; readonly requestTimeoutMs: number }
  /** Raft takes one change at a time; those of this node wait for each other. */
  private latest: Promise<unknown> = Promise.resolve()

  /** @param options  `isStrict`: refuses what would cost the cluster its majority */
  constructor(
    parts: MembershipRequestsParts,
    options: { readonly isStrict: boolean; readonly requestTimeoutMs: number },
  ) {
    this.parts = parts
    this.options = options
  }

  /**
   * @returns the new member and all members
   * @throws StoreError `memberNotEnoughStarted`, `unhealthy`, `memberExist`, `peerUrlExist`, `tooManyLearners`, and those of
   *   every write
   */
  async add(asked: {
    readonly peerUrls: readonly string[]
    readonly isLearner: boolean
  }): Promise<{ readonly member: Member; readonly members: readonly Member[] }> {
    if (this.options.isStrict) checkAddition(this.health(), asked)
    const peerUrls = [...new Set(asked.peerUrls)].sort()
    const { clock, sha1 } = this.parts
    const id = deriveMemberId(sha1, {
      peerUrls,
      token: '',
      addedAtSeconds: Math.floor(clock.wallMs() / 1_000),
    })
    const member: Member = { id, name: '', peerUrls, clientUrls: [], isLearner: asked.isLearner }
    const members = await this.change({ kind: 'add', member })
    return { member, members }
  }

  /** @throws StoreError `memberNotEnoughStarted`, `unhealthy`, `memberNotFound`, and those of every write */
  async remove(id: NodeId): Promise<readonly Member[]> {
    if (this.options.isStrict) checkRemoval(this.health(), id)
    return this.change({ kind: 'remove', id })
  }

  /** @throws StoreError `memberNotFound`, `peerUrlExist`, and those of every write */
  update(id: NodeId, peerUrls: readonly string[]): Promise<readonly Member[]> {
    return this.change({ kind: 'updatePeerUrls', id, peerUrls: [...peerUrls] })
  }

  /**
   * Makes a learner a voter, wherever the leader is.
   * @throws StoreError `memberNotFound`, `learnerNotReady`, `memberNotEnoughStarted`, `memberNotLearner`, `timeout`
   */
  async promote(id: NodeId): Promise<readonly Member[]> {
    const { clock } = this.parts
    const deadlineMs = clock.monotonicMs() + this.options.requestTimeoutMs
    for (;;) {
      const { leader } = this.parts.raft()
      if (leader === this.parts.memberId) return this.promoteHere(id)
      if (leader !== noNode) {
        const members = await this.promoteAt(leader, id)
        if (members !== undefined) return members
      }
      if (clock.monotonicMs() >= deadlineMs) throw new StoreError('timeout')
      await delay(clock, leaderRetryMs)
    }
  }

  /** Answers another member that asks the leader to promote. */
  async answerPromotion(path: string): Promise<PeerAnswer> {
    const text = path.slice(promotePath.length)
    if (!/^\d{1,20}$/.test(text)) return textAnswer(404, `member ${text} not found in cluster`)
    try {
      const { leader } = this.parts.raft()
      if (leader !== this.parts.memberId)
        return textAnswer(500, new StoreError('notLeader').message)
      await this.promoteHere(nodeId(BigInt(text)))
      return { status: 200, body: new TextEncoder().encode('[]') }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return textAnswer(statusByCode[error.code] ?? 500, error.message)
    }
  }

  private async promoteHere(id: NodeId): Promise<readonly Member[]> {
    if (!this.parts.members().some((member) => member.id === id)) {
      throw new StoreError('memberNotFound', { member: hexId(id) })
    }
    const { progress } = this.parts.raft()
    const learner = progress.get(id)
    const own = progress.get(this.parts.memberId)
    if (learner === undefined || own === undefined || learner.match < own.match * promotableShare) {
      throw new StoreError('learnerNotReady', { member: hexId(id) })
    }
    if (this.options.isStrict) checkPromotion(this.health())
    return this.change({ kind: 'promote', id })
  }

  /** Undefined: that member could not be asked, or does not lead any more. */
  private async promoteAt(leader: NodeId, id: NodeId): Promise<readonly Member[] | undefined> {
    const { askPeer, members } = this.parts
    const urls = members().find((member) => member.id === leader)?.peerUrls ?? []
    for (const url of urls) {
      const answer = await askPeer(url, `${promotePath}${id}`, new Uint8Array(0)).catch(
        // Unreachable: the next URL, or the next leader, is asked.
        () => undefined,
      )
      if (answer === undefined) continue
      if (answer.status === 200) return this.membersOnceVoting(id)
      const code = codeOfAnswer(new TextDecoder().decode(answer.body))
      if (code !== undefined) throw new StoreError(code, { member: hexId(id) })
    }
    return undefined
  }

  /** The change is committed; it may not have been applied here. */
  private async membersOnceVoting(id: NodeId): Promise<readonly Member[]> {
    const { clock, members } = this.parts
    const deadlineMs = clock.monotonicMs() + this.options.requestTimeoutMs
    for (;;) {
      const known = members()
      if (known.some((member) => member.id === id && !member.isLearner)) return known
      if (clock.monotonicMs() >= deadlineMs) throw new StoreError('timeoutWaitAppliedIndex')
      await delay(clock, leaderRetryMs)
    }
  }

  private change(change: MembershipChange): Promise<readonly Member[]> {
    const propose = async (): Promise<readonly Member[]> => {
      const result = await this.parts.propose((id) => encodeMembershipEntry({ id, change }))
      assert(result.kind === 'membership', 'a change of members is answered as one')
      return result.members
    }
    const proposed = this.latest.then(propose)
    // The next one waits for its end, whatever that is; the failure belongs to its own caller.
    this.latest = proposed.catch(() => undefined)
    return proposed
  }

  private health(): ClusterHealth {
    const { memberId, members, peers, clock } = this.parts
    const sinceMs = clock.monotonicMs() - healthyMs
    return {
      self: memberId,
      members: members(),
      isReliable: (id) => peers.isConnectedSince(id, sinceMs),
      isReachable: (id) => peers.isConnectedSince(id, Number.POSITIVE_INFINITY),
    }
  }
}

/** Status by which etcd's members tell each other why a promotion was refused. */
const statusByCode: Partial<Record<StoreErrorCode, number>> = {
  memberNotFound: 404,
  memberNotLearner: 412,
  learnerNotReady: 412,
}

const refusals = [
  'memberNotFound',
  'memberNotLearner',
  'learnerNotReady',
  'memberNotEnoughStarted',
] as const

/** A refusal that another member told by its text. */
function codeOfAnswer(text: string): StoreErrorCode | undefined {
  const plain = text.replace(/^etcdserver: /, '')
  return refusals.find((code) =>
    plain.includes(new StoreError(code).message.replace(/^etcdserver: /, '')),
  )
}

function textAnswer(status: number, text: string): PeerAnswer {
  return { status, body: new TextEncoder().encode(`${text}\n`) }
}
