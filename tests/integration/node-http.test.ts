import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { systemEnvironment } from '../../src/core/bin/node-environment.ts'
import { silentLogger } from '../../src/core/base/logger.ts'
import { nodeConfigDefaults, type NodeConfig } from '../../src/core/node/node-config.ts'
import { StoreNode } from '../../src/core/node/store-node.ts'
import { PutRequest, RangeRequest } from '../../src/core/proto/gen/rpc.ts'
import { bytes, eventually, text } from '../helpers/node-fixture.ts'

const directory = mkdtempSync(join(tmpdir(), 'quorate-http-'))
const nodes = new Map<string, StoreNode>()
afterEach(async () => {
  await Promise.all([...nodes.values()].map((node) => node.stop()))
  rmSync(directory, { recursive: true, force: true })
})

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => {
            const address = server.address()
            resolve(typeof address === 'object' && address !== null ? address.port : 0)
          })
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

async function start(config: NodeConfig): Promise<StoreNode> {
  const urls = config.initialAdvertisePeerUrls
  const environment = systemEnvironment({
    logger: silentLogger,
    listenPeerUrls: urls,
    advertisedPeerUrls: urls,
    version: config.reportedVersion,
  })
  const node = await StoreNode.start(environment, config)
  nodes.set(config.name, node)
  return node
}

describe('three nodes over HTTP', () => {
  test('elect, replicate, go on without the leader, and bring the stopped one back by a snapshot', async () => {
    const ports = await freePorts(3)
    const urls = new Map(
      ports.map((port, position) => [`n${position}`, [`http://127.0.0.1:${port}`]]),
    )
    const configOf = (name: string): NodeConfig => ({
      ...nodeConfigDefaults,
      name,
      dataDirectory: join(directory, name),
      initialAdvertisePeerUrls: urls.get(name)!,
      advertiseClientUrls: ['http://127.0.0.1:1'],
      initialCluster: urls,
      snapshotEntryCount: 50,
      snapshotCatchUpEntryCount: 10,
      walSegmentSizeBytes: 16_384,
    })
    const startedMs = performance.now()
    await Promise.all([...urls.keys()].map((name) => start(configOf(name))))
    await Promise.all([...nodes.values()].map((node) => node.ready))
    expect(performance.now() - startedMs).toBeLessThan(5_000)

    for (const node of nodes.values()) {
      for (let count = 0; count < 20; count++) {
        await node.put(PutRequest.fromPartial({ key: bytes(`k${count}`), value: bytes('v') }))
      }
    }
    const [oldName, old] = await eventually('a leader', () =>
      [...nodes].find(([, node]) => node.leaderId === node.memberId),
    )
    nodes.delete(oldName)
    await old.stop()
    const leader = await eventually('another leader', () =>
      [...nodes.values()].find((node) => node.leaderId === node.memberId),
    )
    for (let count = 0; count < 300; count++) {
      await leader.put(PutRequest.fromPartial({ key: bytes(`k${count}`), value: bytes('w') }))
    }
    const back = await start(configOf(oldName))
    await back.ready
    const range = await back.range(RangeRequest.fromPartial({ key: bytes('k299') }))
    expect(range.keyValues.map((pair) => text(pair.value))).toEqual(['w'])
    await eventually('all to have applied the same', () => {
      return new Set([...nodes.values()].map((node) => node.status().raftAppliedIndex)).size === 1
    })
    const hashes = await Promise.all([...nodes.values()].map((node) => node.hashKv(0)))
    expect(new Set(hashes.map(({ hash }) => hash)).size).toBe(1)

    // Somebody who is not a member learns so from those who are.
    await expect(
      start({
        ...configOf('n1'),
        dataDirectory: join(directory, 'stranger'),
        initialClusterState: 'existing',
        initialCluster: new Map([...urls, ['n1', ['http://127.0.0.1:9']]]),
        initialAdvertisePeerUrls: ['http://127.0.0.1:9'],
      }),
    ).rejects.toThrow(/the cluster has no member with peer URLs http:\/\/127.0.0.1:9/)
  })
})
