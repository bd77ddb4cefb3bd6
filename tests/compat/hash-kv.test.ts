import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { etcdctl } from '../helpers/etcdctl.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { quoratedProgram, readyLine } from '../helpers/quorated.ts'
import { freePorts, isRealEtcdInstalled, RealEtcdCluster } from '../helpers/real-etcd.ts'
import { ServerProcess } from '../helpers/server-process.ts'
import type { Operation } from '../unit/core/mvcc/store-model.ts'
import { bytes, StoreUnderTest } from '../unit/core/mvcc/store-model.ts'

const isEtcdThere = isRealEtcdInstalled()
if (!isEtcdThere) process.stderr.write('hash-kv: skipped, etcd is not installed\n')

let cluster: RealEtcdCluster | undefined

/** Runs a command on the real etcd, which must succeed. */
async function onEtcd(words: readonly string[], input?: string): Promise<string> {
  const endpoints = cluster!.clientUrls.join(',')
  const result = await etcdctl(words, { endpoints, ...(input !== undefined && { input }) })
  if (result.code !== 0) throw new Error(result.stderr)
  return result.stdout
}

async function etcdHash(revision: number): Promise<{ hash: number; compactedRevision: number }> {
  const output = await onEtcd(['endpoint', 'hashkv', '--rev', String(revision), '-w', 'json'])
  const [answer] = JSON.parse(output) as { HashKV: { hash: number; compact_revision?: number } }[]
  return { hash: answer!.HashKV.hash, compactedRevision: answer!.HashKV.compact_revision ?? 0 }
}

beforeAll(async () => {
  if (isEtcdThere) cluster = await RealEtcdCluster.start(1)
})

afterAll(() => {
  cluster?.stop()
})

describe.skipIf(!isEtcdThere)('hash of the key space', () => {
  test('is that of a real etcd after the same writes, deletes, transactions and compactions', async () => {
    const subject = await StoreUnderTest.make()
    const put = async (key: string, value: string): Promise<void> => {
      await onEtcd(['put', key, value])
      subject.put(key, value)
    }
    const remove = async (key: string): Promise<void> => {
      await onEtcd(['del', key])
      subject.remove(key)
    }
    const transaction = async (operations: readonly Operation[], input: string): Promise<void> => {
      await onEtcd(['txn'], `\n${input}\n\n\n`)
      subject.write(operations)
    }
    const compact = async (revision: number): Promise<void> => {
      await onEtcd(['compaction', String(revision), '--physical'])
      subject.compact(revision)
    }
    /** At the current revision, and at each one behind the compacted one: 3.4 refuses that one itself. */
    const agree = async (): Promise<void> => {
      const { currentRevision, compactedRevision } = subject.store
      const revisions = [0]
      for (let past = Math.max(compactedRevision, 0) + 1; past <= currentRevision; past++) {
        revisions.push(past)
      }
      for (const revision of revisions) {
        const theirs = await etcdHash(revision)
        const ours = await subject.store.hashAt(revision)
        expect([revision, ours.hash, ours.compactedRevision]).toEqual([
          revision,
          theirs.hash,
          theirs.compactedRevision,
        ])
      }
    }
    await put('a', '1')
    await put('a', '2')
    await put('empty', '')
    await remove('a')
    await agree()
    await transaction(
      [
        { kind: 'put', key: bytes('b'), value: bytes('3') },
        { kind: 'put', key: bytes('a'), value: bytes('4') },
        { kind: 'delete', range: { start: bytes('empty'), end: undefined } },
      ],
      'put b 3\nput a 4\ndel empty',
    )
    await put('large', 'x'.repeat(5_000))
    await compact(4)
    await agree()
    await put('a', '5')
    await remove('b')
    await compact(subject.store.currentRevision)
    await agree()
    await remove('a')
    await remove('large')
    await agree()
    await compact(subject.store.currentRevision)
    await put('c', '6')
    await agree()
  })
})

test.skipIf(!isEtcdThere)(
  'after a new start the compacted revision has the hash of what is left',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hash-kv-'))
    const ports = await freePorts(4)
    const hashes: Record<string, unknown> = {}
    try {
      for (const [index, program] of [newerEtcd(), quoratedProgram].entries()) {
        const clientUrl = `http://127.0.0.1:${ports[2 * index] ?? 0}`
        const peerUrl = `http://127.0.0.1:${ports[2 * index + 1] ?? 0}`
        const start = async (): Promise<ServerProcess> => {
          const server = new ServerProcess(program, {
            args: [
              ...['--name=node1', `--data-dir=${join(folder, String(index))}`],
              ...[`--listen-client-urls=${clientUrl}`, `--advertise-client-urls=${clientUrl}`],
              ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
              `--initial-cluster=node1=${peerUrl}`,
            ],
          })
          await server.waitForLine(readyLine)
          return server
        }
        const ask = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
          const options = { method: 'POST', body: JSON.stringify(body) }
          return (await fetch(`${clientUrl}/v3/${path}`, options)).json() as Promise<never>
        }
        let server = await start()
        try {
          for (const key of ['YQ==', 'Yg==', 'YQ==', 'Yw==', 'Yg==', 'YQ=='])
            await ask('kv/put', { key, value: key })
          await ask('kv/deleterange', { key: 'Yw==' })
          for (const revision of [3, 6]) await ask('kv/compaction', { revision, physical: true })
          await server.kill()
          server = await start()
          const answers: unknown[] = []
          for (const revision of [3, 5, 6, 7, 8, 0]) {
            const { hash, code, compact_revision } = await ask('maintenance/hashkv', { revision })
            answers.push({ revision, hash, code, compact_revision })
          }
          hashes[index] = answers
        } finally {
          await server.kill()
        }
      }
      expect(hashes[1]).toEqual(hashes[0])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  120_000,
)
