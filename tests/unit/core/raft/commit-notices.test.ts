/** When a leader that holds its notices tells the others what is committed. */
import { describe, expect, test } from 'vitest'
import type { Message } from '../../../../src/core/raft/message.ts'
import {
  ack,
  bytes,
  change,
  encodeChange,
  leaderNode,
  message,
  only,
  type TestNode,
} from './raft-fixture.ts'

/** What is said to be committed, and how many entries come with it, for each append to a peer. */
function toldTo(peer: number, messages: readonly Message[]): (readonly [number, number])[] {
  return only(messages, 'append', peer).map(({ commit, entries }) => [commit, entries.length])
}

/** A leader whose peers hold its first entry and know that it is committed. */
function holdingLeader(): TestNode {
  const node = leaderNode({ holdsCommitNotices: true })
  node.take(ack(2, 1, 1))
  node.take(ack(3, 1, 1))
  node.raft.tellCommit()
  node.drain()
  return node
}

function propose(node: TestNode): Message[] {
  expect(node.raft.propose([bytes('x')])).toBe('accepted')
  return node.drain()
}

describe('held notices of the commit', () => {
  test('the next entries carry them, and nothing is sent for the commit alone', () => {
    const node = holdingLeader()
    propose(node)
    expect(only(node.take(ack(2, 1, 2)), 'append')).toEqual([])
    expect(only(node.take(ack(3, 1, 2)), 'append')).toEqual([])
    expect(node.raft.commit).toBe(2)
    expect(node.raft.owesCommit(2)).toBe(true)
    const sent = propose(node)
    expect([toldTo(2, sent), toldTo(3, sent)]).toEqual([[[2, 1]], [[2, 1]]])
    expect(node.raft.owesCommit(2)).toBe(false)
  })

  test('they leave when the host says so, once', () => {
    const node = holdingLeader()
    propose(node)
    node.take(ack(2, 1, 2))
    node.raft.tellCommit()
    const sent = node.drain()
    expect([toldTo(2, sent), toldTo(3, sent)]).toEqual([[[2, 0]], [[2, 0]]])
    expect(node.raft.owesCommit(2)).toBe(false)
    expect(only(node.take(ack(3, 1, 2)), 'append')).toEqual([])
  })

  test('who proposed it hears at once, the others do not', () => {
    const node = holdingLeader()
    const entries = [{ index: 0, term: 0, kind: 'normal', data: bytes('y') }] as const
    node.take(message('propose', [3, 1], { term: 0, entries }))
    const sent = node.take(ack(2, 1, 2))
    expect([toldTo(2, sent), toldTo(3, sent)]).toEqual([[], [[2, 0]]])
    // What others propose is not its concern.
    propose(node)
    expect(only(node.take(ack(2, 1, 3)), 'append')).toEqual([])
  })

  test('heartbeats carry them as well', () => {
    const node = holdingLeader()
    propose(node)
    node.take(ack(2, 1, 2))
    const [beat] = only(node.ticks(1), 'heartbeat', 2)
    expect(beat?.commit).toBe(2)
  })

  test('a change of the membership is told as soon as it is applied', () => {
    const node = holdingLeader()
    node.raft.proposeConfChange({ kind: 'confChange', data: encodeChange(change('addVoter', 4)) })
    node.drain()
    const sent = node.take(ack(2, 1, 2))
    expect([toldTo(2, sent), toldTo(3, sent)]).toEqual([[[2, 0]], [[2, 0]]])
  })

  test('who does not lead owes nothing', () => {
    const node = holdingLeader()
    propose(node)
    node.take(ack(2, 1, 2))
    node.take(message('heartbeat', [2, 1], { term: 2, commit: 2, context: new Uint8Array(0) }))
    expect(node.raft.owesCommit(2)).toBe(false)
    node.raft.tellCommit()
    expect(node.raft.hasReady()).toBe(false)
  })
})
