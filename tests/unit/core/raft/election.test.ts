/** Section 5.2 and 5.4 of the Raft paper. Names begin with the scenario's id. */
import { describe, expect, test } from 'vitest'
import { noNode } from '../../../../src/core/base/ids.ts'
import { seededRandom } from '../../../../src/core/base/random.ts'
import type { Message } from '../../../../src/core/raft/message.ts'
import type { RaftRole } from '../../../../src/core/raft/ready.ts'
import {
  change,
  confStateOf,
  electionTicks,
  encodeChange,
  entriesOfTerms,
  id,
  leaderNode,
  message,
  only,
  single,
  snapshotAt,
  TestNode,
} from './raft-fixture.ts'
import type { NodeOptions } from './raft-fixture.ts'
import { TestNetwork } from './raft-network.ts'

function voteRequest(from: number, term: number, lastIndex = 0, lastTerm = 0): Message {
  return message('vote', [from, 1], { term, lastIndex, lastTerm, isTransfer: false })
}

function preVoteRequest(from: number, term: number, lastIndex = 0, lastTerm = 0): Message {
  return message('preVote', [from, 1], { term, lastIndex, lastTerm, isTransfer: false })
}

/** Node 1 of three in the role asked for, in term 1 or 2. */
function nodeIn(role: RaftRole): TestNode {
  if (role === 'leader') return leaderNode()
  const node = new TestNode(1, {
    hardState: { term: 1 },
    logTerms: [1],
    usesPreVote: role === 'preCandidate',
  })
  if (role !== 'follower') node.raft.campaign()
  node.drain()
  expect(node.raft.role).toBe(role)
  return node
}

describe('elections', () => {
  test('elect-basic: three nodes elect the one that times out in one round', () => {
    const network = new TestNetwork(3)
    network.tick(2 * electionTicks, [1])
    expect(network.isLedBy(1)).toBe(true)
    expect(network.terms()).toEqual([1, 1, 1])
    expect(network.logs()).toEqual([['1:1'], ['1:1'], ['1:1']])
  })

  test.each([
    { dead: [4, 5], role: 'leader' },
    { dead: [3, 4, 5], role: 'candidate' },
  ] as const)('elect-basic: of five nodes with $dead dead, node 1 becomes $role', (row) => {
    const network = new TestNetwork(5)
    for (const node of row.dead) network.isolate(node)
    network.campaign(1)
    expect(network.node(1).raft.role).toBe(row.role)
  })

  test('single-voter-vote-persist: a single voter leads only after its own vote is durable', () => {
    const node = new TestNode(1, { voters: [1] })
    node.raft.campaign()
    expect(node.raft.role).toBe('candidate')
    const ready = node.raft.ready()
    expect(ready.hardState).toEqual({ term: 1, vote: id(1), commit: 0 })
    expect(ready.mustSync).toBe(true)
    expect(node.raft.role).toBe('candidate')
    node.persist(ready)
    node.raft.advance()
    expect(node.raft.role).toBe('leader')
    expect(node.raft.commit).toBe(0)
    node.drain()
    expect(node.raft.commit).toBe(1)
  })

  test.each(['follower', 'candidate'] as const)(
    'timeout-random-range: a %s campaigns after E to 2E-1 ticks, each of them sometimes',
    (role) => {
      const seen = new Set<number>()
      for (let seed = 0; seed < 400; seed++) {
        const node = new TestNode(1, { seed })
        if (role === 'candidate') node.raft.campaign()
        node.drain()
        const { term } = node.raft
        let ticks = 0
        for (; node.raft.term === term; ticks++) node.ticks(1)
        seen.add(ticks)
      }
      const expected = Array.from({ length: electionTicks }, (_, extra) => electionTicks + extra)
      expect([...seen].sort((left, right) => left - right)).toEqual(expected)
    },
  )

  test.each(['follower', 'candidate'] as const)(
    'timeout-random-range: most first rounds among five %ss have one node in front',
    (role) => {
      let conflicts = 0
      const rounds = 300
      for (let seed = 0; seed < rounds; seed++) {
        const nodes = [1, 2, 3, 4, 5].map((node) => {
          const made = new TestNode(node, { voters: [1, 2, 3, 4, 5], seed: seed * 5 + node })
          if (role === 'candidate') made.raft.campaign()
          made.drain()
          return made
        })
        const { term } = nodes[0]?.raft ?? { term: 0 }
        let firstCount = 0
        while (firstCount === 0) {
          for (const node of nodes) node.ticks(1)
          firstCount = nodes.filter((node) => node.raft.term > term).length
        }
        if (firstCount > 1) conflicts++
      }
      expect(conflicts / rounds).toBeLessThan(0.5)
    },
  )

  test.each(['follower', 'preCandidate', 'candidate', 'leader'] as const)(
    'vote-from-any-state: a %s grants a vote of a higher term and follows',
    (role) => {
      const node = nodeIn(role)
      const term = node.raft.term + 1
      const response = single(only(node.take(voteRequest(2, term, 9, term)), 'voteResponse'))
      expect(response).toMatchObject({ to: id(2), term, isRejected: false })
      expect(node.raft).toMatchObject({ role: 'follower', term, leader: noNode })
      expect(node.hardState().vote).toBe(id(2))
    },
  )

  test.each(['follower', 'preCandidate', 'candidate', 'leader'] as const)(
    'vote-from-any-state: a %s answers a pre-vote of a higher term and stays what it is',
    (role) => {
      const node = nodeIn(role)
      const before = { role: node.raft.role, term: node.raft.term, vote: node.raft.status().vote }
      const asked = node.raft.term + 1
      const sent = node.take(preVoteRequest(2, asked, 9, asked))
      const response = single(only(sent, 'preVoteResponse'))
      expect(response).toMatchObject({ to: id(2), term: asked, isRejected: false })
      expect({ role: node.raft.role, term: node.raft.term, vote: node.raft.status().vote }).toEqual(
        before,
      )
    },
  )

  test.each(['append', 'heartbeat', 'snapshot'] as const)(
    'candidate-falls-back: a candidate follows the sender of an %s of its term',
    (kind) => {
      for (const role of ['candidate', 'preCandidate'] as const) {
        const node = nodeIn(role)
        const { term } = node.raft
        const from = [2, 1] as const
        const confState = confStateOf({ voters: [1, 2, 3] })
        const leaders: Record<typeof kind, Message> = {
          append: message('append', from, {
            term,
            previousIndex: 1,
            previousTerm: 1,
            entries: entriesOfTerms([term], 2),
            commit: 1,
          }),
          heartbeat: message('heartbeat', from, { term, commit: 1, context: new Uint8Array(0) }),
          snapshot: message('snapshot', from, { term, snapshot: snapshotAt(5, 1, confState) }),
        }
        node.take(leaders[kind])
        expect(node.raft).toMatchObject({ role: 'follower', term, leader: id(2) })
        const commits = { append: 1, heartbeat: 1, snapshot: 5 }
        expect(node.raft.commit).toBe(commits[kind])
      }
    },
  )

  test.each([false, true])(
    'leader-cycle: each node campaigns in turn and wins (pre-vote %s)',
    (usesPreVote) => {
      const network = new TestNetwork(3, { usesPreVote })
      for (const [round, candidate] of [1, 2, 3, 1].entries()) {
        network.campaign(candidate)
        expect(network.isLedBy(candidate)).toBe(true)
        expect(network.terms()).toEqual([round + 1, round + 1, round + 1])
      }
    },
  )

  test('election-overwrites-newer-log: a candidate without the newest term wins through the others', () => {
    // Node 1 holds an entry of term 2 that it alone has seen; nodes 2 and 3 voted in term 2 and know only term 1.
    const network = new TestNetwork(
      3,
      { logTerms: [1], hardState: { term: 2, vote: 1 } },
      { 1: { logTerms: [1, 2], hardState: { term: 2, vote: 1 } } },
    )
    network.campaign(2)
    // Node 1 has the longer log and refuses; node 3 grants. The term is 3 for all.
    expect(network.isLedBy(2)).toBe(true)
    expect(network.terms()).toEqual([3, 3, 3])
    expect(network.logs()).toEqual([
      ['1:1', '3:2'],
      ['1:1', '3:2'],
      ['1:1', '3:2'],
    ])
  })

  test('duelling-candidates: an old candidate with a short log is refused after the partition', () => {
    const network = new TestNetwork(3)
    network.cut(1, 3)
    network.campaign(1)
    network.campaign(3)
    // Node 2 gave its vote of term 1 to node 1.
    expect(network.roles()).toEqual(['leader', 'follower', 'candidate'])
    network.recover()
    network.campaign(3)
    expect(network.terms()).toEqual([2, 2, 2])
    // Both others hold the entry of term 1 and refuse; the old leader has stepped down at the sight of term 2.
    expect(network.roles()).toEqual(['follower', 'follower', 'follower'])
    expect(network.logs()).toEqual([['1:1'], ['1:1'], []])
  })

  test('duelling-candidates: with pre-vote the term does not grow', () => {
    const network = new TestNetwork(3, { usesPreVote: true })
    network.cut(1, 3)
    network.campaign(1)
    network.campaign(3)
    expect(network.roles()).toEqual(['leader', 'follower', 'follower'])
    network.recover()
    network.campaign(3)
    expect(network.terms()).toEqual([1, 1, 1])
    expect(network.roles()).toEqual(['leader', 'follower', 'follower'])
  })

  test('split-vote: two candidates split three votes, the next timeout resolves it', () => {
    const network = new TestNetwork(3)
    network.isolate(3)
    network.node(1).raft.campaign()
    network.node(2).raft.campaign()
    network.settle()
    // Each voted for itself and refused the other; the third vote is out of reach.
    expect(network.roles()).toEqual(['candidate', 'candidate', 'follower'])
    expect(network.terms()).toEqual([1, 1, 0])
    network.recover()
    network.tick(2 * electionTicks)
    const leaders = network.roles().filter((role) => role === 'leader')
    expect(leaders).toHaveLength(1)
    expect(new Set(network.terms()).size).toBe(1)
  })

  test('vote-idempotent: a vote is repeated for the same asker and refused for another, also after a restart', () => {
    const node = new TestNode(1)
    const ask = (from: number): boolean =>
      single(only(node.take(voteRequest(from, 1)), 'voteResponse')).isRejected
    expect([ask(2), ask(2), ask(3)]).toEqual([false, false, true])
    node.restart()
    expect([ask(2), ask(3)]).toEqual([false, true])
    expect(node.hardState()).toEqual({ term: 1, vote: id(2), commit: 0 })
  })

  test.each([
    { who: 'stranger', options: { voters: [2, 3] } },
    { who: 'learner', options: { voters: [2, 3], learners: [1] } },
  ])('non-voter-never-campaigns: a $who stays quiet and answers votes', ({ options }) => {
    const node = new TestNode(1, options)
    expect(node.ticks(10 * electionTicks)).toEqual([])
    node.raft.campaign()
    expect(node.drain()).toEqual([])
    expect(node.raft).toMatchObject({ role: 'follower', term: 0 })
    const response = single(only(node.take(voteRequest(2, 1)), 'voteResponse'))
    expect(response.isRejected).toBe(false)
  })

  test('non-voter-never-campaigns: a removed node stays quiet', () => {
    const node = new TestNode(1)
    node.raft.applyConfChange(change('remove', 1))
    expect(node.ticks(10 * electionTicks)).toEqual([])
  })

  test.each(['confChange', 'confChangeV2'] as const)(
    'campaign-blocked-by-confchange: a committed, unapplied %s blocks a campaign until it is applied',
    (kind) => {
      const data = encodeChange(change('addVoter', 4))
      const entries = [...entriesOfTerms([1]), { index: 2, term: 1, kind, data }]
      const node = new TestNode(1, { entries, hardState: { term: 1, commit: 2 }, applied: 1 })
      node.raft.campaign()
      for (let tick = 0; tick < 3 * electionTicks; tick++) node.raft.tick()
      expect(node.raft).toMatchObject({ role: 'follower', term: 1 })
      node.drain()
      node.raft.campaign()
      expect(node.raft).toMatchObject({ role: 'candidate', term: 2 })
    },
  )

  test('campaign-blocked-by-confchange: an uncommitted change does not block', () => {
    const data = encodeChange(change('addVoter', 4))
    const entries = [
      ...entriesOfTerms([1]),
      { index: 2, term: 1, kind: 'confChange' as const, data },
    ]
    const node = new TestNode(1, { entries, hardState: { term: 1, commit: 1 }, applied: 1 })
    node.raft.campaign()
    expect(node.raft.role).toBe('candidate')
  })

  test('campaign-blocked-by-snapshot: a node with a snapshot on its way refuses to campaign', () => {
    const node = new TestNode(1)
    const confState = confStateOf({ voters: [1, 2, 3] })
    node.raft.step(message('snapshot', [2, 1], { term: 1, snapshot: snapshotAt(11, 1, confState) }))
    node.raft.campaign()
    expect(node.raft.role).toBe('follower')
    const ready = node.raft.ready()
    node.raft.campaign()
    expect(node.raft.role).toBe('follower')
    node.persist(ready)
    node.apply(ready)
    node.raft.advance()
    node.raft.campaign()
    expect(node.raft.role).toBe('candidate')
  })

  test('late-self-vote: a self-vote that becomes durable after the election was lost counts for nothing', () => {
    const node = new TestNode(1)
    node.raft.campaign()
    const ready = node.raft.ready()
    // Before the disk is done: the other two refuse, and a later term begins.
    for (const from of [2, 3]) {
      node.raft.step(message('voteResponse', [from, 1], { term: 1, isRejected: true }))
    }
    expect(node.raft.role).toBe('follower')
    node.raft.campaign()
    expect(node.raft).toMatchObject({ role: 'candidate', term: 2 })
    node.persist(ready)
    node.raft.advance()
    node.raft.step(message('voteResponse', [2, 1], { term: 2, isRejected: false }))
    // One vote of term 2; the own vote of term 1 was not taken for one of term 2.
    expect(node.raft.role).toBe('candidate')
    node.drain()
    expect(node.raft.role).toBe('leader')
  })

  test('late-self-vote: a pre-vote of its own that is durable late is not taken for a vote', () => {
    const node = new TestNode(1, { usesPreVote: true, voters: [1, 2, 3, 4, 5] })
    node.raft.campaign()
    const ready = node.raft.ready()
    const grant = { term: 1, isRejected: false }
    for (const from of [2, 3, 4]) node.raft.step(message('preVoteResponse', [from, 1], grant))
    expect(node.raft.role).toBe('candidate')
    node.persist(ready)
    node.raft.advance()
    node.raft.step(message('voteResponse', [2, 1], grant))
    node.raft.step(message('preVoteResponse', [5, 1], grant))
    node.raft.step(message('preVoteResponse', [3, 1], grant))
    expect(node.raft.role).toBe('candidate')
    node.drain()
    // Two votes: the own one and that of node 2.
    expect(node.raft.role).toBe('candidate')
    node.raft.step(message('voteResponse', [3, 1], grant))
    expect(node.raft.role).toBe('leader')
  })

  test('a request for a vote leaves only when the term it names is durable', () => {
    const node = new TestNode(1)
    node.raft.campaign()
    const ready = node.raft.ready()
    expect(ready.messages).toEqual([])
    expect(only(ready.messagesAfterPersist, 'vote')).toHaveLength(2)
  })

  test('an answer that contradicts an earlier one of the same voter is ignored', () => {
    const options: NodeOptions = { voters: [1, 2, 3, 4, 5] }
    const node = new TestNode(1, options)
    node.raft.campaign()
    node.drain()
    for (const isRejected of [true, false, false]) {
      node.raft.step(message('voteResponse', [2, 1], { term: 1, isRejected }))
    }
    node.raft.step(message('voteResponse', [3, 1], { term: 1, isRejected: false }))
    expect(node.raft.role).toBe('candidate')
    node.raft.step(message('voteResponse', [4, 1], { term: 1, isRejected: false }))
    expect(node.raft.role).toBe('leader')
  })

  test('the timeout is drawn anew by a follower and a candidate, and kept by a pre-candidate', () => {
    let drawCount = 0
    const source = seededRandom(1)
    const random = {
      ...source,
      below: (bound: number) => {
        drawCount++
        return source.below(bound)
      },
    }
    const node = new TestNode(1, { random, usesPreVote: true })
    expect(drawCount).toBe(1)
    node.raft.campaign()
    expect(node.raft.role).toBe('preCandidate')
    expect(drawCount).toBe(1)
    for (const from of [2, 3]) {
      node.raft.step(message('preVoteResponse', [from, 1], { term: 1, isRejected: false }))
    }
    expect(node.raft.role).toBe('candidate')
    expect(drawCount).toBe(2)
    node.raft.step(message('heartbeat', [2, 1], { term: 1, commit: 0, context: new Uint8Array(0) }))
    expect(drawCount).toBe(3)
  })
})
