import { describe, expect, test } from 'vitest'
import { CommitNotices } from '../../../../src/core/node/commit-notices.ts'
import { ack, bytes, leaderNode, type TestNode } from '../raft/raft-fixture.ts'
import { ManualClock } from './manual-clock.ts'

function build(): { node: TestNode; clock: ManualClock; notices: CommitNotices; told: number[] } {
  const clock = new ManualClock()
  const node = leaderNode({ holdsCommitNotices: true })
  const told: number[] = []
  const notices = new CommitNotices(clock, node.raft, () => {
    told.push(node.raft.commit)
    node.drain()
  })
  return { node, clock, notices, told }
}

function commitNext(node: TestNode): void {
  node.raft.propose([bytes('x')])
  node.drain()
  node.take(ack(2, 1, node.raft.lastIndex))
}

describe('CommitNotices', () => {
  test('tells of a commit that no entries followed', () => {
    const { node, clock, notices, told } = build()
    commitNext(node)
    notices.note()
    clock.advance(0.5)
    expect(told).toEqual([])
    clock.advance(1)
    expect(told).toEqual([2])
    clock.advance(10)
    expect(told).toEqual([2])
  })

  test('says nothing of what the next entries told, and waits anew for what came after', () => {
    const { node, clock, notices, told } = build()
    commitNext(node)
    notices.note()
    clock.advance(0.5)
    commitNext(node)
    notices.note()
    clock.advance(1)
    expect(told).toEqual([])
    clock.advance(1)
    expect(told).toEqual([3])
  })

  test('waits for nothing when nothing is owed, or after its end', () => {
    const { node, clock, notices, told } = build()
    notices.note()
    commitNext(node)
    notices.note()
    notices.stop()
    clock.advance(10)
    expect(told).toEqual([])
  })
})
