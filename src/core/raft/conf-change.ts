/**
 * Membership changes: from one configuration to the next, as a function without side effects.
 *
 * A simple change adds, removes, promotes or demotes at most one voter, so that every majority before overlaps with every
 * majority after. Anything larger goes through a joint configuration (section 4.3 of the Raft thesis): on entering, the
 * old voters become the outgoing half and both halves must agree to everything; leaving drops them. A voter that is
 * demoted while joint still votes in the outgoing half, hence waits in `learnersNext` until the cluster leaves.
 *
 * A change takes effect when it is applied, on every node by itself, not when it is appended.
 */
import { assert } from '../base/assert.ts'
import type { NodeId } from '../base/ids.ts'
import type { ConfChange, ConfChangeSingle, ConfState } from './message.ts'

/** A cluster without members, the state before anything was applied. */
export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
}

/** Whether two configurations are in force at once. */
export function isJoint(current: ConfState): boolean {
  return current.votersOutgoing.length > 0
}

/** Everybody who receives the log, ascending. */
export function memberIds(current: ConfState): readonly NodeId[] {
  return sorted(new Set([...current.voters, ...current.votersOutgoing, ...current.learners]))
}

/** Everybody with a vote in either half, ascending. */
export function voterIds(current: ConfState): readonly NodeId[] {
  if (!isJoint(current)) return current.voters
  return sorted(new Set([...current.voters, ...current.votersOutgoing]))
}

/**
 * The configuration after `change`. A change for node 0 only holds its place in the log and alters nothing; an existing
 * voter that is added again stays as it is.
 *
 * The leader lets only legal changes into the log, so an illegal one here is a bug and ends the process rather than
 * let members disagree about who they are.
 */
export function changeConfState(current: ConfState, change: ConfChange): ConfState {
  const { transition, changes } = change
  if (changes.length > 0 && changes.every((single) => single.node === 0n)) return current
  if (changes.length === 0 && transition === 'auto') return leaveJoint(current)
  if (transition !== 'auto' || changes.length > 1) {
    return enterJoint(current, changes, transition === 'jointExplicit' ? 'explicit' : 'automatic')
  }
  assert(!isJoint(current), 'a simple change waits until the joint configuration is left')
  const next = applyChanges(current, changes)
  assert(
    differenceCount(current.voters, next.voters) <= 1,
    'a simple change touches one voter at most',
  )
  return next
}

/** A configuration from a snapshot or a peer, with ids in order and without duplicates. */
export function normalizedConfState(confState: ConfState): ConfState {
  return {
    voters: sorted(new Set(confState.voters)),
    learners: sorted(new Set(confState.learners)),
    votersOutgoing: sorted(new Set(confState.votersOutgoing)),
    learnersNext: sorted(new Set(confState.learnersNext)),
    autoLeave: confState.autoLeave,
  }
}

function enterJoint(
  current: ConfState,
  changes: readonly ConfChangeSingle[],
  leaving: 'automatic' | 'explicit',
): ConfState {
  assert(!isJoint(current), 'a joint configuration is left before the next one is entered')
  assert(current.voters.length > 0, 'a cluster without voters cannot decide together with another')
  const next = applyChanges({ ...current, votersOutgoing: current.voters }, changes)
  return { ...next, autoLeave: leaving === 'automatic' }
}

function leaveJoint(current: ConfState): ConfState {
  assert(isJoint(current), 'only a joint configuration can be left')
  return {
    voters: current.voters,
    learners: sorted(new Set([...current.learners, ...current.learnersNext])),
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  }
}

function applyChanges(current: ConfState, changes: readonly ConfChangeSingle[]): ConfState {
  const voters = new Set(current.voters)
  const learners = new Set(current.learners)
  const learnersNext = new Set(current.learnersNext)
  const outgoing = new Set(current.votersOutgoing)
  for (const { action, node } of changes) {
    if (node === 0n || action === 'update') continue
    voters.delete(node)
    learners.delete(node)
    learnersNext.delete(node)
    if (action === 'addVoter') voters.add(node)
    // Whoever still votes in the outgoing half cannot be a learner yet.
    else if (action === 'addLearner') (outgoing.has(node) ? learnersNext : learners).add(node)
  }
  assert(voters.size > 0, 'a cluster keeps at least one voter')
  return {
    voters: sorted(voters),
    learners: sorted(learners),
    votersOutgoing: current.votersOutgoing,
    learnersNext: sorted(learnersNext),
    autoLeave: current.autoLeave,
  }
}

function differenceCount(before: readonly NodeId[], after: readonly NodeId[]): number {
  const left = before.filter((id) => !after.includes(id)).length
  return left + after.filter((id) => !before.includes(id)).length
}

function sorted(ids: ReadonlySet<NodeId>): readonly NodeId[] {
  return [...ids].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0))
}
