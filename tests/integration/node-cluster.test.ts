import { afterEach, describe, expect, test } from 'vitest'
import { hexId } from '../../src/core/base/ids.ts'
import type { StoreNode } from '../../src/core/node/store-node.ts'
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../../src/core/proto/gen/rpc.ts'
import { bytes, eventually, NodeFixture, text } from '../helpers/node-fixture.ts'

let fixture: NodeFixture
afterEach(() => fixture.dispose())

const put = (key: string, value: string): PutRequest =>
  PutRequest.fromPartial({ key: bytes(key), value: bytes(value) })
const get = (key: string, more: Partial<RangeRequest> = {}): RangeRequest =>
  RangeRequest.fromPartial({ key: bytes(key), ...more })

async function valueOf(node: StoreNode, key: string): Promise<string | undefined> {
  const [pair] = (await node.range(get(key))).keyValues
  return pair === undefined ? undefined : text(pair.value)
}

/** All nodes have applied the same, and have the same hash over all revisions. */
async function expectEqualNodes(nodes: readonly StoreNode[]): Promise<void> {
  await eventually('all nodes to have applied the same', () => {
    const indexes = new Set(nodes.map((node) => node.status().raftAppliedIndex))
    return indexes.size === 1
  })
  const hashes = await Promise.all(nodes.map((node) => node.hashKv(0)))
  expect(new Set(hashes.map(({ hash, hashRevision }) => `${hash} ${hashRevision}`)).size).toBe(1)
}

describe('three nodes', () => {
  test('agree on a leader, and every one of them takes writes and reads', async () => {
    fixture = new NodeFixture(3)
    await fixture.startAll()
    const nodes = fixture.running
    expect(new Set(nodes.map((node) => hexId(node.leaderId))).size).toBe(1)
    for (const [position, node] of nodes.entries()) {
      await node.put(put(`key${position}`, 'v'))
      for (const reader of nodes) expect(await valueOf(reader, `key${position}`)).toBe('v')
    }
    const txn = TxnRequest.fromPartial({
      success: [{ request: { $case: 'requestPut', value: put('key0', 'w') } }],
    })
    expect(await nodes[1]!.txn(txn)).toMatchObject({ hasSucceeded: true, revision: 5 })
    expect(
      await nodes[2]!.deleteRange(DeleteRangeRequest.fromPartial({ key: bytes('key1') })),
    ).toMatchObject({
      deletedCount: 1,
    })
    await nodes[0]!.compact(CompactionRequest.fromPartial({ revision: 4n, physical: true }))
    await expect(nodes[0]!.range(get('key0', { revision: 3n }))).rejects.toMatchObject({
      code: 'compacted',
    })
    const members = await nodes[0]!.listMembers({ isLinearizable: true })
    expect(members.map((member) => member.name).sort()).toEqual(['node1', 'node2', 'node3'])
    expect(members.map((member) => member.clientUrls.length)).toEqual([1, 1, 1])
    await expectEqualNodes(nodes)
  })

  test('lose no acknowledged write when leaders are killed again and again', async () => {
    fixture = new NodeFixture(3)
    await fixture.startAll()
    const written = new Map<string, string>()
    for (let round = 0; round < 6; round++) {
      const leader = await fixture.leader()
      const name = fixture.nameOf(leader)
      const follower = fixture.running.find((node) => node !== leader)!
      const writes = Array.from({ length: 50 }, async (_, position) => {
        const key = `r${round}-${position}`
        try {
          await follower.put(put(key, key))
          written.set(key, key)
        } catch (error) {
          expect(error).toMatchObject({ name: 'StoreError' })
        }
      })
      await new Promise((resolve) => setTimeout(resolve, 5))
      await fixture.kill(name)
      await eventually('another leader', () =>
        fixture.running.find((node) => node.leaderId === node.memberId),
      )
      await fixture.start(name)
      await Promise.all(writes)
    }
    await Promise.all(fixture.running.map((node) => node.ready))
    expect(written.size).toBeGreaterThan(100)
    for (const node of fixture.running) {
      const { keyValues } = await node.range(get('r', { rangeEnd: bytes('s') }))
      const found = new Map(keyValues.map((pair) => [text(pair.key), text(pair.value)]))
      for (const [key, value] of written) expect(found.get(key)).toBe(value)
    }
    await expectEqualNodes(fixture.running)
  }, 60_000)

  test('hand leadership over before a stop, and go on before an election would fall due', async () => {
    const [heartbeatMs, electionMs] = [100, 4_000]
    fixture = new NodeFixture(3, { heartbeatMs, electionMs })
    await fixture.startAll()
    const leader = await fixture.leader()
    const termBefore = leader.raftTerm
    const startedMs = performance.now()
    const stopping = fixture.stop(fixture.nameOf(leader))
    const next = await fixture.leader()
    // Without the handing over nobody asks for votes before this.
    expect(performance.now() - startedMs).toBeLessThan(electionMs - heartbeatMs)
    expect(next.raftTerm).toBe(termBefore + 1)
    await stopping
    await next.put(put('a', '1'))
  })

  test('bring back by a snapshot a member that the log has left behind', async () => {
    fixture = new NodeFixture(3, {
      snapshotEntryCount: 20,
      snapshotCatchUpEntryCount: 5,
      walSegmentSizeBytes: 4_096,
    })
    await fixture.startAll()
    const follower = fixture.running.find((node) => node.leaderId !== node.memberId)!
    const name = fixture.nameOf(follower)
    await fixture.kill(name)
    const leader = await fixture.leader()
    for (let count = 0; count < 200; count++)
      await leader.put(put(`key${count % 50}`, `value ${count}`))
    const back = await fixture.start(name)
    await back.ready
    await expectEqualNodes(fixture.running)
    // Twice, with a compaction in between, and the member that was brought back restarted.
    await fixture.stop(name)
    for (let count = 0; count < 100; count++) await leader.put(put(`again${count}`, 'v'))
    await leader.compact(CompactionRequest.fromPartial({ revision: 150n, physical: true }))
    const again = await fixture.start(name)
    await again.ready
    await again.put(put('from the one that came back', 'v'))
    await expectEqualNodes(fixture.running)
    await fixture.stop(name)
    await (
      await fixture.start(name)
    ).ready
    await expectEqualNodes(fixture.running)
  }, 60_000)

  test('keep serving when one is cut off, and the leader cut off serves no linearizable read', async () => {
    fixture = new NodeFixture(3, { requestTimeoutMs: 1_000 })
    await fixture.startAll()
    const old = await fixture.leader()
    await old.put(put('a', '1'))
    fixture.peers.isolate(old.memberId)
    const next = await eventually('another leader', () =>
      fixture.running.find((node) => node !== old && node.leaderId === node.memberId),
    )
    await next.put(put('a', '2'))
    await expect(old.range(get('a'))).rejects.toMatchObject({ name: 'StoreError' })
    expect(
      (await old.range(get('a', { serializable: true }))).keyValues.map((pair) => text(pair.value)),
    ).toEqual(['1'])
    await expect(old.put(put('a', '3'))).rejects.toMatchObject({ name: 'StoreError' })
    fixture.peers.heal()
    await eventually('the old leader to follow', () => old.leaderId === next.memberId)
    expect(await valueOf(old, 'a')).toBe('2')
    await expectEqualNodes(fixture.running)
  })
})
