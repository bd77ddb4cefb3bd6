/** Membership changes, simple and joint (sections 4.1 to 4.3 of the Raft thesis), and learners (4.2.1). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noNode } from '../../../../src/core/base/ids.ts'
import {
  changeConfState,
  emptyConfState,
  isJoint,
  memberIds,
  normalizedConfState,
} from '../../../../src/core/raft/conf-change.ts'
import { describeConfState } from '../../../../src/core/raft/describe.ts'
import type { ConfChange, ConfState } from '../../../../src/core/raft/message.ts'
import { noPlantedBugs } from '../../../../src/core/raft/planted-bugs.ts'
import {
  ack,
  bytes,
  change,
  confStateOf,
  decodeChange,
  electionTicks,
  encodeChange,
  id,
  leaderNode,
  message,
  TestNode,
} from './raft-fixture.ts'
import { TestNetwork } from './raft-network.ts'

const leave: ConfChange = { transition: 'auto', changes: [] }

function propose(node: TestNode, asked: ConfChange) {
  const data = asked.changes.length === 0 ? new Uint8Array(0) : encodeChange(asked)
  return node.raft.proposeConfChange({ kind: 'confChangeV2', data })
}

/** Applies one change after the other to a configuration, without a cluster. */
function configured(start: ConfState, ...changes: ConfChange[]): string {
  return describeConfState(changes.reduce(changeConfState, start))
}

describe('membership', () => {
  test('confchange-simple: a voter is added and removed', () => {
    const network = TestNetwork.begin(3)
    network.campaign(1)
    network.add(4, { confState: emptyConfState })
    expect(network.change(1, change('addVoter', 4))).toBe('accepted')
    expect(network.node(4).raft.confState).toEqual(confStateOf({ voters: [1, 2, 3, 4] }))
    expect(network.logs()[3]).toEqual(network.logs()[0])
    expect(network.change(2, change('remove', 2))).toBe('accepted')
    for (const node of [1, 3, 4]) {
      expect(network.node(node).raft.confState).toEqual(confStateOf({ voters: [1, 3, 4] }))
    }
    network.propose(1, 'after')
    expect(network.node(4).appliedTexts()).toEqual(['after'])
  })

  test.each([
    { stepsDownOnRemoval: true, role: 'follower' },
    { stepsDownOnRemoval: false, role: 'leader' },
  ] as const)(
    'confchange-simple: a leader that removes itself ends as $role (steps down: $stepsDownOnRemoval)',
    ({ stepsDownOnRemoval, role }) => {
      const network = new TestNetwork(3, { stepsDownOnRemoval })
      network.campaign(1)
      network.change(1, change('remove', 1))
      expect(network.node(1).raft.role).toBe(role)
      network.tick(1)
      expect(network.node(2).raft.confState).toEqual(confStateOf({ voters: [2, 3] }))
      network.isolate(1)
      network.tick(2 * electionTicks, [2, 3])
      expect(network.roles().slice(1)).toContain('leader')
    },
  )

  test('confchange-simple: the acknowledgements of a leader that removed itself do not count', () => {
    const node = leaderNode()
    node.take(ack(2, 1, 1))
    node.raft.applyConfChange(change('remove', 1))
    // Whatever else is in the log needs both of the others now.
    node.raft.applyConfChange(change('addVoter', 4))
    node.take(ack(3, 1, 1))
    expect(node.raft.propose([bytes('x')])).toBe('notMember')
    expect(node.raft.commit).toBe(1)
  })

  test('confchange-simple: a removal lets a stuck entry commit, because the quorum shrinks', () => {
    const node = leaderNode()
    node.take(ack(2, 1, 1))
    node.raft.propose([bytes('stuck')])
    node.drain()
    expect(node.raft.commit).toBe(1)
    node.raft.applyConfChange(change('remove', 3))
    expect(node.raft.commit).toBe(1)
    node.raft.applyConfChange(change('remove', 2))
    expect(node.raft.commit).toBe(2)
    node.drain()
    expect(node.appliedTexts()).toEqual(['stuck'])
  })

  test('confchange-pending: a second change while one is pending becomes an empty entry', () => {
    const node = leaderNode()
    expect(propose(node, change('addVoter', 4))).toBe('accepted')
    expect(propose(node, change('addVoter', 5))).toBe('confChangePending')
    expect(node.raft.lastIndex).toBe(3)
    node.drain()
    node.take(ack(2, 1, 3))
    const kinds = node.applied.map((entry) => [entry.kind, entry.data.length > 0])
    expect(kinds).toEqual([
      ['normal', false],
      ['confChangeV2', true],
      ['normal', false],
    ])
    expect(node.raft.confState).toEqual(confStateOf({ voters: [1, 2, 3, 4] }))
    // Applied: the next one is admitted.
    expect(propose(node, change('addVoter', 5))).toBe('accepted')
  })

  test('confchange-pending: a batch that holds two changes keeps the first and the other entries', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    const data = [change('addLearner', 4), change('addLearner', 5)].map(encodeChange)
    network.send(
      message('propose', [2, 1], {
        term: 0,
        entries: [
          { index: 0, term: 0, kind: 'normal', data: bytes('a') },
          { index: 0, term: 0, kind: 'confChangeV2', data: data[0] ?? bytes('') },
          { index: 0, term: 0, kind: 'confChangeV2', data: data[1] ?? bytes('') },
          { index: 0, term: 0, kind: 'normal', data: bytes('b') },
        ],
      }),
    )
    const kinds = network.node(3).applied.map((entry) => entry.kind)
    expect(kinds).toEqual(['normal', 'normal', 'confChangeV2', 'normal', 'normal'])
    const confState = confStateOf({ voters: [1, 2, 3], learners: [4] })
    expect(network.node(3).raft.confState).toEqual(confState)
  })

  test('confchange-pending: a new leader refuses until the tail it found is applied', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    network.ignore('appendResponse')
    propose(network.node(1), change('addVoter', 4))
    network.settle()
    network.recover()
    network.isolate(1)
    network.node(2).raft.campaign()
    network.ignore('appendResponse')
    network.settle()
    expect(network.node(2).raft).toMatchObject({ role: 'leader', lastIndex: 3, applied: 1 })
    expect(propose(network.node(2), change('addVoter', 5))).toBe('confChangePending')
    network.recover()
    network.isolate(1)
    network.tick(1, [2, 3])
    expect(network.node(2).raft.confState).toEqual(confStateOf({ voters: [1, 2, 3, 4] }))
  })

  test('confchange-joint: two voters are added at once, and the cluster leaves by itself', () => {
    const network = TestNetwork.begin(3)
    network.campaign(1)
    for (const newcomer of [4, 5]) network.add(newcomer, { confState: emptyConfState })
    expect(network.change(1, change('addVoter', 4, 'addVoter', 5))).toBe('accepted')
    const kinds = network.node(1).applied.map((entry) => [entry.kind, entry.data.length > 0])
    expect(kinds.slice(4)).toEqual([
      ['confChangeV2', true],
      ['confChangeV2', false],
    ])
    for (const node of network.nodes.values()) {
      expect(node.raft.confState).toEqual(confStateOf({ voters: [1, 2, 3, 4, 5] }))
    }
  })

  test('confchange-joint: an explicit one waits to be told to leave, and admits nothing else', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    const explicit = { ...change('remove', 3), transition: 'jointExplicit' } as const
    expect(network.change(1, leave)).toBe('confChangePending')
    expect(network.change(1, explicit)).toBe('accepted')
    const joint = confStateOf({ voters: [1, 2], votersOutgoing: [1, 2, 3] })
    expect(network.node(2).raft.confState).toEqual(joint)
    network.tick(3)
    expect(network.change(1, change('addVoter', 4))).toBe('confChangePending')
    expect(network.node(2).raft.confState).toEqual(joint)
    expect(network.change(1, leave)).toBe('accepted')
    expect(network.node(2).raft.confState).toEqual(confStateOf({ voters: [1, 2] }))
  })

  test('confchange-joint: the leader is replaced in one change', () => {
    const network = TestNetwork.begin(3, { stepsDownOnRemoval: true })
    network.campaign(1)
    network.add(4, { confState: emptyConfState })
    network.change(1, change('remove', 1, 'addVoter', 4))
    network.tick(1)
    expect(network.node(1).raft.role).toBe('follower')
    network.isolate(1)
    network.tick(4 * electionTicks, [2, 3, 4])
    expect(network.node(4).raft.confState).toEqual(confStateOf({ voters: [2, 3, 4] }))
    expect(network.roles().filter((role) => role === 'leader')).toHaveLength(1)
  })

  test('confchange-joint: decisions need both majorities until it is left', () => {
    const confState = confStateOf({ voters: [1, 2, 3], votersOutgoing: [1, 4, 5] })
    const node = leaderNode({ confState })
    node.take(ack(2, 1, 1))
    node.take(ack(3, 1, 1))
    expect(node.raft.commit).toBe(0)
    node.take(ack(4, 1, 1))
    expect(node.raft.commit).toBe(1)
    const candidate = new TestNode(1, { confState })
    candidate.raft.campaign()
    candidate.drain()
    for (const from of [2, 3]) {
      candidate.raft.step(message('voteResponse', [from, 1], { term: 1, isRejected: false }))
    }
    expect(candidate.raft.role).toBe('candidate')
    for (const from of [4, 5]) {
      candidate.raft.step(message('voteResponse', [from, 1], { term: 1, isRejected: true }))
    }
    expect(candidate.raft.role).toBe('follower')
  })

  test('confchange-joint: leaving is proposed again after a transfer that failed', () => {
    const node = leaderNode()
    const joint = { ...change('addLearner', 4), transition: 'jointImplicit' } as const
    expect(propose(node, joint)).toBe('accepted')
    node.drain()
    // The transfer is under way when the joint configuration is applied.
    node.raft.transferLeader(id(3))
    node.take(ack(2, 1, 2))
    expect(isJoint(node.raft.confState)).toBe(true)
    expect(node.raft.lastIndex).toBe(2)
    node.ticks(electionTicks)
    expect(node.raft.transferee).toBe(noNode)
    expect(node.raft.lastIndex).toBe(3)
    node.take(ack(2, 1, 3))
    expect(node.raft.confState).toEqual(confStateOf({ voters: [1, 2, 3], learners: [4] }))
    expect(node.raft.lastIndex).toBe(3)
  })

  test('confchange-joint: a new leader of a joint configuration leaves it', () => {
    const confState = confStateOf({ voters: [1, 2, 3], votersOutgoing: [1, 2] }, true)
    const network = new TestNetwork(3, { confState })
    network.campaign(2)
    for (const node of network.nodes.values()) {
      expect(node.raft.confState).toEqual(confStateOf({ voters: [1, 2, 3] }))
    }
  })

  test('confchange-repeat-and-noop: a change applied twice keeps what is known of the peer', () => {
    const node = leaderNode()
    node.take(ack(2, 1, 1))
    node.raft.applyConfChange(change('addVoter', 4))
    node.take(ack(4, 1, 1))
    const before = node.raft.status().progress
    node.raft.applyConfChange(change('addVoter', 4))
    node.raft.applyConfChange(change('addVoter', 2))
    expect(node.raft.status().progress).toEqual(before)
    expect(before.get(id(4))).toMatchObject({ match: 1, state: 'replicate' })
  })

  test('confchange-repeat-and-noop: a change for node 0 alters nothing, also while joint', () => {
    const joint = confStateOf({ voters: [1, 2], votersOutgoing: [1] })
    for (const current of [confStateOf({ voters: [1] }), joint]) {
      expect(changeConfState(current, change('addVoter', 0))).toBe(current)
    }
    const simple = confStateOf({ voters: [1] })
    expect(changeConfState(simple, change('update', 1))).toEqual(simple)
  })

  test('learner-life: a learner is added, catches up, is promoted and counts', () => {
    const network = TestNetwork.begin(1)
    network.campaign(1)
    for (const each of ['a', 'b']) network.propose(1, each)
    network.add(2, { confState: emptyConfState })
    network.change(1, change('addLearner', 2))
    expect(network.node(2).raft.status().isLearner).toBe(true)
    expect(network.node(2).appliedTexts()).toEqual(['a', 'b'])
    network.isolate(2)
    network.propose(1, 'c')
    expect(network.node(1).appliedTexts()).toEqual(['a', 'b', 'c'])
    network.recover()
    network.tick(1)
    network.change(1, change('addVoter', 2))
    expect(network.node(2).raft.status().isLearner).toBe(false)
    network.isolate(2)
    network.propose(1, 'd')
    expect(network.node(1).appliedTexts()).toEqual(['a', 'b', 'c'])
    network.recover()
    network.tick(1)
    expect(network.node(2).appliedTexts()).toEqual(['a', 'b', 'c', 'd'])
    network.campaign(2)
    expect(network.isLedBy(2)).toBe(true)
  })

  test('learner-life: the acknowledgement of a learner commits nothing, but for the planted bug', () => {
    for (const countsLearnerInQuorum of [false, true]) {
      const plantedBugs = { ...noPlantedBugs, countsLearnerInQuorum }
      const node = leaderNode({ voters: [1, 2], learners: [3], plantedBugs })
      node.take(ack(3, 1, 1))
      expect(node.raft.commit).toBe(countsLearnerInQuorum ? 1 : 0)
      node.take(ack(2, 1, 1))
      expect(node.raft.commit).toBe(1)
    }
  })

  test('learner-life: a voter that is demoted while joint votes until the cluster leaves', () => {
    const start = confStateOf({ voters: [1, 2, 3] })
    const demote = { ...change('addLearner', 3), transition: 'jointExplicit' } as const
    const joint = changeConfState(start, demote)
    expect(joint).toEqual(
      confStateOf({ voters: [1, 2], votersOutgoing: [1, 2, 3], learnersNext: [3] }),
    )
    const node = leaderNode({ confState: joint })
    expect(node.raft.status().progress.get(id(3))?.isLearner).toBe(false)
    const after = node.raft.applyConfChange(leave)
    expect(after).toEqual(confStateOf({ voters: [1, 2], learners: [3] }))
    expect(node.raft.status().progress.get(id(3))?.isLearner).toBe(true)
  })

  test('learner-life: a learner is removed, and a leader that is demoted steps down', () => {
    const start = confStateOf({ voters: [1, 2], learners: [3] })
    expect(configured(start, change('remove', 3))).toBe('(1 2)')
    const node = leaderNode({ stepsDownOnRemoval: true })
    node.raft.applyConfChange(change('addLearner', 1))
    expect(node.raft).toMatchObject({ role: 'follower', leader: noNode })
    node.ticks(5 * electionTicks)
    expect(node.raft.role).toBe('follower')
  })

  test('new-voter-active: a voter that was just added does not make the look at the quorum fail', () => {
    const network = new TestNetwork(1, { checksQuorum: true })
    network.campaign(1)
    network.tick(electionTicks - 1)
    // Node 2 does not run yet.
    network.change(1, change('addVoter', 2))
    network.tick(1)
    expect(network.node(1).raft.role).toBe('leader')
    network.tick(electionTicks)
    expect(network.node(1).raft.role).toBe('follower')
  })
})

describe('changeConfState', () => {
  test.each([
    { changes: [change('addVoter', 1)], result: '(1)' },
    { changes: [change('addVoter', 1), change('addVoter', 2)], result: '(1 2)' },
    { changes: [change('addVoter', 1), change('addLearner', 2)], result: '(1) learners (2)' },
    {
      changes: [change('addVoter', 1), change('addVoter', 2, 'addVoter', 3)],
      result: '(1 2 3)&&(1) auto-leave',
    },
    {
      changes: [change('addVoter', 1), change('addVoter', 2, 'addLearner', 1)],
      result: '(2)&&(1) next (1) auto-leave',
    },
    {
      changes: [change('addVoter', 1), change('addVoter', 2, 'addLearner', 1), leave],
      result: '(2) learners (1)',
    },
    {
      changes: [
        change('addVoter', 1),
        { ...change('addVoter', 2), transition: 'jointExplicit' } as const,
      ],
      result: '(1 2)&&(1)',
    },
  ])('ends in $result', ({ changes, result }) => {
    expect(configured(emptyConfState, ...changes)).toBe(result)
  })

  test.each([
    { what: 'leaves nobody', start: { voters: [1] }, asked: change('remove', 1) },
    { what: 'leaves when not joint', start: { voters: [1] }, asked: leave },
    {
      what: 'is simple while joint',
      start: { voters: [1, 2], votersOutgoing: [1] },
      asked: change('addVoter', 3),
    },
    {
      what: 'is joint while joint',
      start: { voters: [1, 2], votersOutgoing: [1] },
      asked: change('addVoter', 3, 'addVoter', 4),
    },
    {
      what: 'is joint without voters',
      start: {},
      asked: change('addVoter', 3, 'addVoter', 4),
    },
  ])('a change that $what ends the process', ({ start, asked }) => {
    expect(() => changeConfState(confStateOf(start), asked)).toThrow()
  })

  test('confstate-roundtrip: any reachable configuration survives its record, and a snapshot rebuilds it', () => {
    const action = fc.constantFrom('addVoter', 'addLearner', 'remove', 'update')
    const node = fc.integer({ min: 0, max: 9 }).map(id)
    const step = fc.record({
      transition: fc.constantFrom('auto', 'jointImplicit', 'jointExplicit'),
      changes: fc.array(fc.record({ action, node }), { maxLength: 4 }),
    }) as fc.Arbitrary<ConfChange>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        let current = changeConfState(emptyConfState, change('addVoter', 1))
        for (const asked of steps) {
          const next = attempt(current, asked)
          if (next === undefined) continue
          checkShape(next)
          if (!isJoint(current) && !isJoint(next)) {
            const before = new Set(current.voters)
            const shared = next.voters.filter((voter) => before.has(voter)).length
            expect(Math.max(before.size, next.voters.length) - shared).toBeLessThanOrEqual(1)
          }
          current = next
          const shuffled = {
            ...current,
            voters: current.voters.toReversed(),
            learners: [...current.learners, ...current.learners],
          }
          expect(normalizedConfState(shuffled)).toEqual(current)
          expect(rebuilt(current)).toEqual(current)
          const entry = {
            index: 1,
            term: 1,
            kind: 'confChangeV2' as const,
            data: encodeChange(asked),
          }
          expect(decodeChange(entry)).toEqual(asked)
        }
      }),
      { numRuns: 300 },
    )
  })
})

function attempt(current: ConfState, asked: ConfChange): ConfState | undefined {
  try {
    return changeConfState(current, asked)
  } catch {
    return undefined
  }
}

/** Reaches a configuration from nothing by changes alone: first the outgoing half, then the joint change into it. */
function rebuilt(target: ConfState): ConfState {
  const add =
    (action: 'addVoter' | 'addLearner' | 'remove') => (node: ConfState['voters'][number]) =>
      ({ action, node }) as const
  const start = isJoint(target) ? target.votersOutgoing : target.voters
  let current = emptyConfState
  const simple = [...start.map(add('addVoter')), ...target.learners.map(add('addLearner'))]
  for (const single of simple) {
    current = changeConfState(current, { transition: 'auto', changes: [single] })
  }
  if (!isJoint(target)) return current
  return changeConfState(current, {
    transition: target.autoLeave ? 'jointImplicit' : 'jointExplicit',
    changes: [
      ...target.votersOutgoing.map(add('remove')),
      ...target.voters.map(add('addVoter')),
      ...target.learnersNext.map(add('addLearner')),
    ],
  })
}

function checkShape(confState: ConfState): void {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState
  expect(voters.length).toBeGreaterThan(0)
  expect(learners.some((each) => voters.includes(each) || votersOutgoing.includes(each))).toBe(
    false,
  )
  expect(learnersNext.every((each) => votersOutgoing.includes(each))).toBe(true)
  expect(learnersNext.some((each) => voters.includes(each))).toBe(false)
  if (!isJoint(confState)) expect([learnersNext.length, autoLeave]).toEqual([0, false])
  const members = memberIds(confState)
  expect([...members].sort((a, b) => Number(a - b))).toEqual(members)
}
