/** Clusters of real processes of which a member holds something else, or of which most members are lost. */
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LmdbBackendFactory } from '../../src/core/backend/lmdb-backend-factory.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { MixedCluster, type MixedStartOptions } from '../helpers/mixed-cluster.ts'
import { eventually } from '../helpers/node-fixture.ts'
import { quoratedProgram } from '../helpers/quorated.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const all = [0, 1, 2]

let cluster: MixedCluster

beforeEach(async () => {
  cluster = await MixedCluster.describe(3)
})

afterEach(() => cluster.dispose())

function put(at: number, key: string, value: string): Promise<Record<string, unknown>> {
  return cluster.call(at, 'kv/put', { key: base64(key), value: base64(value) })
}

async function valueOf(at: number, key: string): Promise<string | undefined> {
  const { kvs } = (await cluster.call(at, 'kv/range', { key: base64(key) })) as {
    kvs?: { value: string }[]
  }
  return kvs?.[0] === undefined ? undefined : Buffer.from(kvs[0].value, 'base64').toString()
}

async function startAll(flags: readonly string[]): Promise<void> {
  await Promise.all(all.map((at) => cluster.start(quoratedProgram, at, { cluster: all, flags })))
}

async function end(at: number): Promise<void> {
  cluster.member(at).process?.signal('SIGTERM')
  await cluster.member(at).process?.exited
}

/** Takes one superseded change out of a database that nobody has open. */
async function alterDatabase(at: number): Promise<void> {
  const directory = join(cluster.member(at).dataDirectory, 'member', 'db', 'data-0001')
  const backend = await new LmdbBackendFactory({ clock: systemClock }).open(directory)
  const [first] = backend.scan('key', {})
  if (first === undefined) throw new Error('the database holds no change')
  const batch = backend.beginBatch()
  batch.remove('key', first.key)
  backend.commitBatch(batch)
  await backend.close()
}

describe('a member whose database was altered while it was down', () => {
  test('does not start where it is compared first, and otherwise raises the alarm', async () => {
    const options: MixedStartOptions = { cluster: all, flags: ['--corrupt-check-time=300ms'] }
    const compared = { cluster: all, flags: ['--experimental-initial-corrupt-check'] }
    await startAll(options.flags ?? [])
    for (let number = 0; number < 10; number++) await put(0, 'key', `value ${number}`)
    await end(2)
    await cluster.start(quoratedProgram, 2, compared)
    expect(cluster.member(2).process?.lines.join('\n')).toContain(
      'initial corruption checking passed; no corruption',
    )
    await end(2)
    await alterDatabase(2)
    const refused = cluster.spawn(quoratedProgram, 2, compared)
    expect(await refused.exited).toMatchObject({ code: 1 })
    expect(refused.stderr.trim().split('\n').at(-1)).toMatch(
      /^cannot start the node: [0-9a-f]+ found data inconsistency with peers$/,
    )
    await cluster.start(quoratedProgram, 2, options)
    const { header } = (await cluster.call(2, 'maintenance/status', {})) as {
      header: { member_id: string }
    }
    const alarms = await eventually('the alarm', async () => {
      const answer = await cluster.call(0, 'maintenance/alarm', {})
      return answer['alarms']
    })
    expect(alarms).toEqual([{ memberID: header.member_id, alarm: 'CORRUPT' }])
    for (const at of all) {
      expect(await put(at, 'key', 'x')).toMatchObject({
        code: 15,
        message: 'etcdserver: corrupt cluster',
      })
      expect(await valueOf(at, 'key')).toBe('value 9')
    }
    expect(await cluster.get(1, '/health')).toEqual({ health: 'false', reason: 'ALARM CORRUPT' })
  })
})

describe('the only survivor of three', () => {
  test('goes on alone with everything that was committed, and stays alone', async () => {
    await startAll([])
    for (let number = 0; number < 20; number++) await put(number % 3, `key-${number}`, 'kept')
    // Others may know more of what is committed than the one that survives; here it knows all of it.
    await eventually('the last key at the survivor', async () => {
      const request = { key: base64('key-19'), serializable: true }
      return (await cluster.call(1, 'kv/range', request))['kvs']
    })
    await end(1)
    for (const at of [0, 2]) await cluster.member(at).process?.kill()
    const flags = ['--force-new-cluster']
    await cluster.start(quoratedProgram, 1, { cluster: all, flags })
    const check = async (): Promise<void> => {
      for (let number = 0; number < 20; number++) {
        expect(await valueOf(1, `key-${number}`)).toBe('kept')
      }
      const { members } = (await cluster.call(1, 'cluster/member/list', {})) as {
        members: { name: string }[]
      }
      expect(members.map(({ name }) => name)).toEqual(['m1'])
    }
    await check()
    expect(await put(1, 'afterwards', 'alone')).toHaveProperty('header')
    await cluster.member(1).process?.kill()
    await cluster.start(quoratedProgram, 1, { cluster: all })
    await check()
    expect(await valueOf(1, 'afterwards')).toBe('alone')
  })
})
