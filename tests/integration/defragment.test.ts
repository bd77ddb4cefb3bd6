/** Defragmentation of running nodes: what is gained by it, what is served meanwhile, and what a SIGKILL in it leaves. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { Client } from '../../src/core/client/client.ts'
import { intervalOfPrefix } from '../../src/core/client/key-value.ts'
import { StoreError } from '../../src/core/errors/store-error.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { systemRandom } from '../../src/core/io/system-random.ts'
import type { StoreNode } from '../../src/core/node/store-node.ts'
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
} from '../../src/core/proto/gen/rpc.ts'
import { etcdctl } from '../helpers/etcdctl.ts'
import { bytes, eventually, NodeFixture, text } from '../helpers/node-fixture.ts'
import { QuoratedCluster, type QuoratedMember } from '../helpers/quorated.ts'

const killCount = 20

let fixture: NodeFixture | undefined
let cluster: QuoratedCluster | undefined
let client: Client | undefined

afterEach(async () => {
  client?.dispose()
  await cluster?.dispose()
  await fixture?.dispose()
  client = undefined
  cluster = undefined
  fixture = undefined
})

const put = (key: string, value: Uint8Array): PutRequest =>
  PutRequest.fromPartial({ key: bytes(key), value })

async function putMany(node: StoreNode, prefix: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += 200) {
    const keys = Array.from({ length: Math.min(200, count - from) }, (_, at) => from + at)
    await Promise.all(
      keys.map((number) =>
        node.put(put(`${prefix}${String(number).padStart(6, '0')}`, new Uint8Array(1_000))),
      ),
    )
  }
}

async function countOf(node: StoreNode): Promise<number> {
  const request = RangeRequest.fromPartial({
    key: bytes('\0'),
    rangeEnd: bytes('\0'),
    countOnly: true,
  })
  return (await node.range(request)).count
}

describe('a running node', () => {
  test('becomes small again after a deletion and a compaction, and serves meanwhile', async () => {
    fixture = new NodeFixture(1)
    await fixture.startAll()
    const node = fixture.node('node1')
    await putMany(node, 'gone', 4_500)
    await putMany(node, 'kept', 500)
    await node.deleteRange(
      DeleteRangeRequest.fromPartial({ key: bytes('gone'), rangeEnd: bytes('gonf') }),
    )
    await putMany(node, 'later', 1)
    const revision = BigInt(node.currentRevision)
    await node.compact(CompactionRequest.fromPartial({ revision, physical: true }))
    const before = node.status()
    const hashBefore = await node.hashKv(0)

    const moves = [node.defragment(), node.defragment()]
    await putMany(node, 'meanwhile', 400)
    expect(await countOf(node)).toBe(901)
    await Promise.all(moves)

    const after = node.status()
    // What was written meanwhile has made pages of its own, more of them on a busy machine.
    expect(after.dbSizeBytes).toBeLessThan(before.dbSizeBytes / 2)
    expect(after.raftTerm).toBe(before.raftTerm)
    expect(await node.hashKv(Number(revision))).toMatchObject({ hash: hashBefore.hash })
    await fixture.stop('node1')
    const restarted = await fixture.start('node1')
    await restarted.ready
    expect(await countOf(restarted)).toBe(901)
    expect(await restarted.hashKv(Number(revision))).toMatchObject({ hash: hashBefore.hash })
    const places = readdirSync(join(fixture.directory, 'node1', 'member', 'db'))
    expect(places.filter((name) => name.startsWith('data-'))).toHaveLength(1)
  })

  test('is defragmented without a leader, as it concerns this member alone', async () => {
    fixture = new NodeFixture(2)
    await fixture.startAll()
    await putMany(fixture.node('node1'), 'key', 100)
    await fixture.stop('node2')
    await fixture.node('node1').defragment()
    expect(fixture.node('node1').status().dbSizeBytes).toBeGreaterThan(0)
  })

  test('gives a follower that is too far behind in bytes the whole state', async () => {
    fixture = new NodeFixture(3, { snapshotCatchUpSizeBytes: 100_000 })
    await fixture.startAll()
    await putMany(fixture.node('node1'), 'before', 10)
    await fixture.stop('node3')
    await putMany(await fixture.leader(), 'missed', 1_000)
    await (await fixture.leader()).defragment()
    await putMany(await fixture.leader(), 'last', 10)
    const late = await fixture.start('node3')
    const leader = await fixture.leader()
    await eventually('the follower to have all', () =>
      late.status().raftAppliedIndex >= leader.status().raftAppliedIndex ? true : undefined,
    )
    expect(await countOf(late)).toBe(1_020)
    const [left, right] = await Promise.all([leader.hashKv(0), late.hashKv(0)])
    expect(right.hash).toBe(left.hash)
    // Only a received database has another number than the first.
    const places = readdirSync(join(fixture.directory, 'node3', 'member', 'db'))
    expect(places).not.toContain('data-0001')
  })
})

function clientOf(member: QuoratedMember): Client {
  return new Client({
    clock: systemClock,
    random: systemRandom,
    endpoints: [member.clientUrl],
  })
}

/** Writes one key after the other until the process is gone; everything acknowledged is remembered. */
async function writeUntilGone(
  target: Client,
  process: QuoratedMember['process'],
  acknowledged: Set<string>,
  round: number,
): Promise<void> {
  for (let number = 0; ; number++) {
    const key = `round-${String(round).padStart(2, '0')}-${String(number).padStart(5, '0')}`
    try {
      await target.kv.put(bytes(key), new Uint8Array(200))
      acknowledged.add(key)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (process.hasExited) return
    }
  }
}

describe('SIGKILL during a defragmentation', () => {
  test('loses nothing that was acknowledged and leaves one database, twenty times in a row', async () => {
    cluster = await QuoratedCluster.start(1)
    const [member] = cluster.members
    if (member === undefined) throw new Error('a cluster of one has one member')
    const endpoints = member.clientUrl.replace('http://', '')
    const acknowledged = new Set<string>()
    const lastWrites: Promise<void>[] = []
    for (let round = 0; round < killCount; round++) {
      const sizeBefore = acknowledged.size
      client = clientOf(member)
      const writing = writeUntilGone(client, member.process, acknowledged, round)
      await eventually('writes', () => acknowledged.size > sizeBefore + 15 || undefined, 60_000)
      const defragmenting = etcdctl(['defrag'], { endpoints })
      // From before it begins until after it has ended: the program itself takes some 20 ms to start.
      await new Promise((resolve) => setTimeout(resolve, 10 + round * 6))
      await member.kill()
      client.dispose()
      // The client gives up its last write, and the tool the node that died, only after seconds.
      lastWrites.push(writing)
      await Promise.all([member.start(), defragmenting])
    }
    await Promise.all(lastWrites)
    client = clientOf(member)
    const { pairs } = await client.kv.range(intervalOfPrefix(bytes('round-')))
    const present = new Set(pairs.map((pair) => text(pair.key)))
    const missing = [...acknowledged].filter((key) => !present.has(key))
    expect(missing).toEqual([])
    expect(acknowledged.size).toBeGreaterThan(killCount * 10)
    const places = readdirSync(join(member.dataDirectory, 'member', 'db'))
    expect(places.filter((name) => name.startsWith('data-'))).toHaveLength(1)
    // Some of the twenty came far enough to be put in force.
    expect(places).not.toContain('data-0001')
  }, 400_000)
})
