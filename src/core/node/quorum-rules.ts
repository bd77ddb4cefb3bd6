/**
 * Which changes of membership would leave the cluster without a working majority. Source: etcd's strict reconfiguration
 * check; names and order of the refusals are its own.
 *
 * A member has *started* once it published its name. Counts are of voters only.
 */
import type { NodeId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Member } from '../membership/member.ts'

/** What the rules look at. */
export interface ClusterHealth {
  readonly self: NodeId
  readonly members: readonly Member[]
  /** Whether that member has been connected for long enough to be relied on. */
  readonly isReliable: (id: NodeId) => boolean
  /** Whether there is a connection at all. */
  readonly isReachable: (id: NodeId) => boolean
}

/** @throws StoreError `memberNotEnoughStarted`, `unhealthy` */
export function checkAddition(
  health: ClusterHealth,
  member: { readonly isLearner: boolean },
): void {
  const voters = votersOf(health.members)
  if (!member.isLearner) {
    const started = countStarted(voters)
    // The first step from one member to two has to be possible, though nothing works until the second has started.
    const growsFromOne = started === 1 && voters.length === 1
    if (!growsFromOne && started < quorumOf(voters.length + 1)) {
      throw new StoreError('memberNotEnoughStarted')
    }
  }
  if (voters.length === 1) return
  if (countReliable(health, voters) < quorumOf(voters.length + 1)) throw new StoreError('unhealthy')
}

/** @throws StoreError `memberNotEnoughStarted`, `unhealthy` */
export function checkRemoval(health: ClusterHealth, id: NodeId): void {
  const member = health.members.find((candidate) => candidate.id === id)
  // One that is not there is refused where the change is applied.
  if (member === undefined || member.isLearner) return
  const voters = votersOf(health.members)
  const rest = voters.filter((voter) => voter.id !== id)
  if (countStarted(rest) < quorumOf(rest.length)) throw new StoreError('memberNotEnoughStarted')
  // Nobody counts on a member that cannot be reached.
  if (id !== health.self && !health.isReachable(id)) return
  const reliable = countReliable(health, voters)
  if (reliable - 1 < 1 + Math.floor((voters.length - 1) / 2)) throw new StoreError('unhealthy')
}

/** @throws StoreError `memberNotEnoughStarted` */
export function checkPromotion(health: ClusterHealth): void {
  const voters = votersOf(health.members)
  // The learner has caught up, so it has started.
  if (countStarted(voters) + 1 < quorumOf(voters.length + 1)) {
    throw new StoreError('memberNotEnoughStarted')
  }
}

function votersOf(members: readonly Member[]): readonly Member[] {
  return members.filter((member) => !member.isLearner)
}

function countStarted(members: readonly Member[]): number {
  return members.filter((member) => member.name !== '').length
}

function countReliable(health: ClusterHealth, members: readonly Member[]): number {
  return members.filter(({ id }) => id === health.self || health.isReliable(id)).length
}

function quorumOf(count: number): number {
  return Math.floor(count / 2) + 1
}
