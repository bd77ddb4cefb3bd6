/**
 * All members of the cluster, and which changes to them are valid.
 *
 * The problem: membership is known twice, to Raft as a set of voters and learners and to everybody else as names and
 * URLs, and the two must never differ. The plain idea: both are written by the same log entry in the same batch; a change
 * that the rules here refuse is given to Raft as a change of nothing. Records live in two buckets: `members`, id in
 * hexadecimal → JSON, and `members_removed`, id → a marker that stays for ever, because an id must never come back.
 */
import { failpoint } from '../base/failpoints.ts'
import type { BackendBatch, BackendReader } from '../backend/backend.ts'
import { hexId, noNode, type NodeId } from '../base/ids.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import { StoreError } from '../errors/store-error.ts'
import { ClusterVersion } from './cluster-version.ts'
import { decodeMemberJson, encodeMemberJson } from './member-json.ts'
import type { Member } from './member.ts'

/** Learners that a cluster may have at a time where nothing else is said; etcd's figure. */
const defaultLearnerCountMax = 1

/** A change of who takes part, as a configuration entry asks for it. */
export type MembershipChange =
  | { readonly kind: 'add'; readonly member: Member }
  /** A learner becomes a voter. */
  | { readonly kind: 'promote'; readonly id: NodeId }
  | { readonly kind: 'updatePeerUrls'; readonly id: NodeId; readonly peerUrls: readonly string[] }
  | { readonly kind: 'remove'; readonly id: NodeId }

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const removedMarker = encoder.encode('removed')

/** The members, mirrored in memory; changed only by applied entries. */
export class ClusterMembership {
  /** The version that all members speak. */
  readonly clusterVersion: ClusterVersion
  /** Invariant: the same as the `members` bucket with the open batch. */
  private readonly membersById = new Map<NodeId, Member>()
  /** Invariant: the same as the `members_removed` bucket with the open batch; shares no id with `membersById`. */
  private readonly removedIds = new Set<NodeId>()

  private readonly learnerCountMax: number

  private constructor(clusterVersion: ClusterVersion, learnerCountMax: number) {
    this.clusterVersion = clusterVersion
    this.learnerCountMax = learnerCountMax
  }

  /**
   * @param options  `learnerCountMax`: learners that there may be at a time, which must be the same on all members
   * @throws StorageFault when a stored member cannot be read
   */
  static open(
    reader: BackendReader,
    options: { readonly learnerCountMax?: number } = {},
  ): ClusterMembership {
    const { learnerCountMax = defaultLearnerCountMax } = options
    const membership = new ClusterMembership(ClusterVersion.open(reader), learnerCountMax)
    for (const record of reader.scan('members', {})) {
      const member = decodeMemberJson(decoder.decode(record.value), 'bucket members')
      if (member.id === noNode) {
        throw new StorageFault('a stored member has no id', { path: 'bucket members' })
      }
      membership.membersById.set(member.id, member)
    }
    for (const record of reader.scan('members_removed', {})) {
      membership.removedIds.add(parseStoredId(record.key))
    }
    return membership
  }

  /** All members, by id. */
  list(): readonly Member[] {
    return [...this.membersById.values()].sort((left, right) => (left.id < right.id ? -1 : 1))
  }

  find(id: NodeId): Member | undefined {
    return this.membersById.get(id)
  }

  /** Ids that were members once, in no order. */
  removed(): Iterable<NodeId> {
    return this.removedIds
  }

  isRemoved(id: NodeId): boolean {
    return this.removedIds.has(id)
  }

  /**
   * Whether the change may be made; makes nothing.
   * @throws StoreError `memberExist`, `memberNotFound`, `peerUrlExist`, `tooManyLearners`, `memberNotLearner`
   */
  check(change: MembershipChange): void {
    if (change.kind === 'add') {
      this.checkAdd(change.member)
      return
    }
    const member = this.membersById.get(change.id)
    failpoint('afterIsMemberExist')
    if (member === undefined) throw new StoreError('memberNotFound', { member: hexId(change.id) })
    if (change.kind === 'promote' && !member.isLearner) {
      throw new StoreError('memberNotLearner', { member: hexId(change.id) })
    }
    if (change.kind === 'updatePeerUrls') this.checkUnused(change.peerUrls, change.id)
  }

  /** Makes a change that {@link check} allows. */
  apply(batch: BackendBatch, change: MembershipChange): void {
    switch (change.kind) {
      case 'add':
        this.store(batch, change.member)
        return
      case 'promote':
        this.update(batch, change.id, { isLearner: false })
        return
      case 'updatePeerUrls':
        this.update(batch, change.id, { peerUrls: change.peerUrls })
        return
      case 'remove':
        this.membersById.delete(change.id)
        this.removedIds.add(change.id)
        batch.remove('members', storedId(change.id))
        batch.put('members_removed', storedId(change.id), removedMarker)
    }
  }

  /** What a member says about itself; of no effect for one that is not, or no longer, a member. */
  publish(
    batch: BackendBatch,
    id: NodeId,
    attributes: { readonly name: string; readonly clientUrls: readonly string[] },
  ): void {
    this.update(batch, id, attributes)
  }

  private checkAdd(member: Member): void {
    if (this.removedIds.has(member.id) || this.membersById.has(member.id)) {
      throw new StoreError('memberExist', { member: hexId(member.id) })
    }
    this.checkUnused(member.peerUrls, member.id)
    if (!member.isLearner) return
    const learnerCount = this.list().filter((existing) => existing.isLearner).length
    if (learnerCount >= this.learnerCountMax)
      throw new StoreError('tooManyLearners', { learnerCount })
  }

  private checkUnused(peerUrls: readonly string[], exceptId: NodeId): void {
    for (const member of this.membersById.values()) {
      if (member.id === exceptId) continue
      const peerUrl = member.peerUrls.find((candidate) => peerUrls.includes(candidate))
      if (peerUrl !== undefined) throw new StoreError('peerUrlExist', { peerUrl })
    }
  }

  private update(batch: BackendBatch, id: NodeId, fields: Partial<Omit<Member, 'id'>>): void {
    const member = this.membersById.get(id)
    if (member !== undefined) this.store(batch, { ...member, ...fields })
  }

  private store(batch: BackendBatch, member: Member): void {
    this.membersById.set(member.id, member)
    batch.put('members', storedId(member.id), encoder.encode(encodeMemberJson(member)))
  }
}

function storedId(id: NodeId): Uint8Array {
  return encoder.encode(hexId(id))
}

function parseStoredId(key: Uint8Array): NodeId {
  const text = decoder.decode(key)
  if (!/^[0-9a-f]{1,16}$/.test(text)) {
    throw new StorageFault('a removed member has no valid id', { path: 'bucket members_removed' })
  }
  return BigInt(`0x${text}`) as NodeId
}
