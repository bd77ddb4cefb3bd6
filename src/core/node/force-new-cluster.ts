/**
 * A survivor goes on alone: its data stays, all other members are forgotten.
 *
 * The problem: when most members of a cluster are lost for good, the rest can commit nothing any more, not even that the
 * lost ones are gone. The plain idea: what is known to be committed stays; what lies behind it in the log is given up, since
 * nobody can say any more whether it was; and behind it are written, as committed, the entries by which all others leave.
 * Example: 90 of 95 entries are committed in a cluster of a, b and c; a drops 91 to 95 and writes "remove b" at 91, "remove
 * c" at 92, and from then on is a quorum by itself.
 *
 * Another member that still runs knows nothing of it: two clusters under one name would be the result, so all others must
 * have ended for good. Source: etcd, `--force-new-cluster`.
 */
import { readAppliedState } from '../apply/applied-index.ts'
import { decodeMembershipEntry, encodeMembershipEntry } from '../apply/apply-membership.ts'
import { hexId, requestId, type NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { MembershipChange } from '../membership/cluster-membership.ts'
import type { ConfState, Entry, HardState } from '../raft/message.ts'
import type { RecoveredParts } from './log-behind-database.ts'

/**
 * Cuts the log behind what is committed, and writes that all other members left. Durable when it resolves; done again by
 * the next start when the process dies before.
 *
 * @returns what a start goes on with
 * @throws StorageFault when this member is not one of the cluster any more, so that nobody would be left
 */
export async function leaveOthersBehind(
  recovered: RecoveredParts,
  logger: Logger,
): Promise<RecoveredParts> {
  const { contents, snapshot, backend } = recovered
  const { nodeId: self } = contents.metadata
  const applied = readAppliedState(backend)
  const commit = Math.max(contents.hardState?.commit ?? 0, applied.index)
  const entries = contents.entries.filter((entry) => entry.index <= commit)
  const term = contents.hardState?.term ?? applied.term
  const confState = applied.confState ?? snapshot?.metadata.confState
  const present = membersAt(confState, entries, applied.index)
  const changes = changesOf(present, self)
  const appended = changes.map((change, at): Entry => ({
    index: commit + 1 + at,
    term,
    kind: 'confChange',
    data: encodeMembershipEntry({ id: requestId(0n), change }),
  }))
  if (appended.length === 0) return recovered
  const hardState: HardState = {
    term,
    vote: contents.hardState?.vote ?? self,
    commit: commit + appended.length,
  }
  await contents.log.save(hardState, appended, { mustSync: true })
  logger.warn('forcing restart member: the other members are forgotten', {
    member: hexId(self),
    cluster: hexId(contents.metadata.clusterId),
    commit,
    givenUpEntryCount: contents.entries.length - entries.length,
    forgotten: [...present.keys()].filter((id) => id !== self).map(hexId),
  })
  return { ...recovered, contents: { ...contents, hardState, entries: [...entries, ...appended] } }
}

type Role = 'voter' | 'learner'

/** Members with their roles once everything committed has been applied. */
function membersAt(
  confState: ConfState | undefined,
  entries: readonly Entry[],
  appliedIndex: number,
): ReadonlyMap<NodeId, Role> {
  const members = new Map<NodeId, Role>()
  for (const id of confState?.learners ?? []) members.set(id, 'learner')
  for (const id of confState?.voters ?? []) members.set(id, 'voter')
  for (const entry of entries) {
    if (entry.index <= appliedIndex || entry.kind !== 'confChange') continue
    const { change } = decodeMembershipEntry(entry.data)
    if (change.kind === 'add') {
      members.set(change.member.id, change.member.isLearner ? 'learner' : 'voter')
    } else if (change.kind === 'promote') members.set(change.id, 'voter')
    else if (change.kind === 'remove') members.delete(change.id)
  }
  return members
}

/** A learner votes first: without a voter, nobody could take the others out. */
function changesOf(present: ReadonlyMap<NodeId, Role>, self: NodeId): readonly MembershipChange[] {
  const role = present.get(self)
  if (role === undefined) {
    throw new StorageFault(
      `member ${hexId(self)} is not a member of its cluster any more and cannot go on alone`,
      { path: 'member/wal' },
    )
  }
  const others = [...present.keys()].filter((id) => id !== self)
  if (others.length === 0 && role === 'voter') return []
  const removals = others
    .sort((left, right) => (left < right ? -1 : 1))
    .map((id): MembershipChange => ({ kind: 'remove', id }))
  return role === 'learner' ? [{ kind: 'promote', id: self }, ...removals] : removals
}
