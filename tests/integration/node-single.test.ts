import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { FileHandle, FileSystem } from '../../src/core/io/file-system.ts'
import { nodeFileSystem } from '../../src/core/io/node-file-system.ts'
import {
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../../src/core/proto/gen/rpc.ts'
import { bytes, eventually, NodeFixture, text } from '../helpers/node-fixture.ts'

let fixture: NodeFixture
afterEach(() => fixture.dispose())

const put = (key: string, value: string | Uint8Array): PutRequest =>
  PutRequest.fromPartial({
    key: bytes(key),
    value: typeof value === 'string' ? bytes(value) : value,
  })
const get = (key: string, more: Partial<RangeRequest> = {}): RangeRequest =>
  RangeRequest.fromPartial({ key: bytes(key), ...more })
const everything = (): RangeRequest => get('\0', { rangeEnd: bytes('\0') })

async function start(...parameters: ConstructorParameters<typeof NodeFixture>): Promise<void> {
  fixture = new NodeFixture(...parameters)
  await fixture.startAll()
}

describe('a node alone', () => {
  test('is ready without waiting for an election to fall due, and answers what was put', async () => {
    const electionMs = 20_000
    fixture = new NodeFixture(1, { heartbeatMs: 100, electionMs })
    const startedMs = performance.now()
    await fixture.startAll()
    expect(performance.now() - startedMs).toBeLessThan(electionMs / 2)
    const node = fixture.node('node1')
    const { revision } = await node.put(put('a', '1'))
    expect(revision).toBe(2)
    const range = await node.range(get('a'))
    expect(range.revision).toBe(2)
    expect(range.keyValues.map((pair) => text(pair.value))).toEqual(['1'])
    expect(node.status()).toMatchObject({
      revision: 2,
      role: 'leader',
      errors: [],
      isLearner: false,
    })
  })

  test('has everything after a stop, and after an end without one', async () => {
    await start(1, { snapshotEntryCount: 30, snapshotCatchUpEntryCount: 5 })
    for (const end of ['stop', 'kill', 'kill', 'stop'] as const) {
      const node = fixture.node('node1')
      for (let count = 0; count < 40; count++) await node.put(put(`${end}${count}`, 'v'))
      const before = await node.hashKv(0)
      await fixture[end]('node1')
      const again = await fixture.start('node1')
      await again.ready
      expect(await again.hashKv(before.hashRevision)).toEqual(before)
      expect(again.memberId).toBe(node.memberId)
    }
  })

  test('makes its database again out of the log', async () => {
    await start(1)
    const node = fixture.node('node1')
    for (let count = 0; count < 30; count++) await node.put(put(`k${count % 7}`, `${count}`))
    await node.deleteRange(DeleteRangeRequest.fromPartial({ key: bytes('k3') }))
    await node.compact(CompactionRequest.fromPartial({ revision: 9n }))
    const before = await node.hashKv(0)
    const members = await node.listMembers({ isLinearizable: false })
    await fixture.stop('node1')
    rmSync(join(fixture.directory, 'node1/member/db'), { recursive: true })
    const again = await fixture.start('node1')
    await again.ready
    expect(await again.hashKv(0)).toEqual(before)
    expect(await again.listMembers({ isLinearizable: true })).toEqual(members)
  })

  test('refuses to start when the log was cut and the database is gone', async () => {
    await start(1, { snapshotEntryCount: 10, snapshotCatchUpEntryCount: 1 })
    const folder = join(fixture.directory, 'node1/member/snap')
    // The second snapshot is begun only after the log was cut behind the first one.
    for (const wanted of [1, 2]) {
      for (let count = 0; count < 30; count++) await fixture.node('node1').put(put('k', `${count}`))
      await eventually(`${wanted} snapshots`, () => {
        const names = existsSync(folder) ? readdirSync(folder) : []
        return names.filter((name) => name.endsWith('.snap')).length >= wanted ? true : undefined
      })
    }
    await fixture.stop('node1')
    rmSync(join(fixture.directory, 'node1/member/db'), { recursive: true })
    await expect(fixture.start('node1')).rejects.toThrow(/the database is behind the log/)
  })

  test('is the only one on its directory', async () => {
    await start(1)
    await expect(fixture.start('node1')).rejects.toMatchObject({ name: 'StorageFault' })
    await fixture.node('node1').put(put('still', 'there'))
  })

  test('refuses a configuration that does not fit, and leaves no lock behind', async () => {
    fixture = new NodeFixture(1)
    await expect(fixture.start('node1', { name: 'other' })).rejects.toThrow(
      `couldn't find local name "other" in the initial cluster configuration`,
    )
    await expect(
      fixture.start('node1', { initialAdvertisePeerUrls: ['http://elsewhere:1'] }),
    ).rejects.toMatchObject({ name: 'ConfigurationError' })
    await (
      await fixture.start('node1')
    ).ready
  })

  test('refuses requests with the codes of the protocol', async () => {
    await start(1)
    const node = fixture.node('node1')
    await node.put(put('a', '1'))
    const refusals: [() => Promise<unknown>, string][] = [
      [() => node.put(put('big', new Uint8Array(1_572_864))), 'requestTooLarge'],
      [() => node.range(get('a', { revision: 99n })), 'futureRevision'],
      [() => node.put(PutRequest.fromPartial({ key: bytes('a'), lease: 7n })), 'leaseNotFound'],
      [() => node.compact(CompactionRequest.fromPartial({ revision: 99n })), 'futureRevision'],
      [() => node.hashKv(99), 'futureRevision'],
      [() => node.txn(nested(41)), 'tooManyOps'],
      [
        () =>
          node.put(put('a', '2'), {
            cancellation: { isCanceled: true, setCancelListener: () => undefined },
          }),
        'canceled',
      ],
      [
        () => node.transferLeadership((node.memberId + 1n) as typeof node.memberId),
        'badLeaderTransferee',
      ],
    ]
    for (const [refused, code] of refusals) await expect(refused()).rejects.toMatchObject({ code })
    expect((await node.range(everything())).keyValues.length).toBe(1)
    expect(await node.txn(nested(40))).toMatchObject({ hasSucceeded: true })
  })

  test('raises an alarm when its database is full, and takes deletes until it is cleared', async () => {
    await start(1, { quotaBytes: 400_000 })
    const node = fixture.node('node1')
    const value = new Uint8Array(2_000)
    await expect(
      (async () => {
        for (let count = 0; count < 2_000; count++) await node.put(put(`k${count}`, value))
      })(),
    ).rejects.toMatchObject({ code: 'noSpace' })
    await eventually('the alarm', () => node.status().alarms.length === 1 || undefined)
    expect(node.status().errors).toEqual([`memberID:${node.memberId} alarm:NOSPACE`])
    await expect(node.put(put('small', ''))).rejects.toMatchObject({ code: 'noSpace' })
    await node.deleteRange(
      DeleteRangeRequest.fromPartial({ key: bytes('k'), rangeEnd: bytes('l') }),
    )
    const { revision } = await node.range(everything())
    await node.compact(
      CompactionRequest.fromPartial({ revision: BigInt(revision), physical: true }),
    )
    const raised = await node.alarm(AlarmRequest.fromPartial({ action: 0 }))
    expect(raised.alarms).toEqual([{ memberId: node.memberId, alarm: 'noSpace' }])
    await node.alarm(AlarmRequest.fromPartial({ action: 2, memberID: node.memberId, alarm: 1 }))
    expect(node.status().errors).toEqual([])
  })

  test('answers nobody after its log could not be synced, and stops', async () => {
    const disk = { isBroken: false }
    await start(1, {}, { fileSystem: breakable(disk) })
    const node = fixture.node('node1')
    await node.put(put('kept', '1'))
    disk.isBroken = true
    const lost = node.put(put('lost', '1'))
    await expect(lost).rejects.toMatchObject({ code: 'stopped' })
    expect(await node.stopped).toMatchObject({ kind: 'fault', error: { name: 'StorageFault' } })
    await expect(node.put(put('late', '1'))).rejects.toMatchObject({ code: 'stopped' })
    await expect(node.range(get('kept', { serializable: true }))).rejects.toMatchObject({
      code: 'stopped',
    })
    disk.isBroken = false
    const again = await fixture.start('node1')
    expect((await again.range(get('kept'))).count).toBe(1)
  })

  test('fails what waits when it stops', async () => {
    await start(1)
    const node = fixture.node('node1')
    const waiting = [node.put(put('a', '1')), node.confirmReads()].map((promise) =>
      promise.then(
        () => 'done',
        (error: unknown) => (error as { code: string }).code,
      ),
    )
    await fixture.stop('node1')
    for (const outcome of await Promise.all(waiting)) expect(['done', 'stopped']).toContain(outcome)
    await expect(node.put(put('a', '1'))).rejects.toMatchObject({ code: 'stopped' })
    expect(await node.stopped).toEqual({ kind: 'stopped' })
  })
})

/** A transaction within a transaction, so many deep. */
function nested(depth: number): TxnRequest {
  const inner = depth === 1 ? put('deep', 'x') : nested(depth - 1)
  const request =
    'key' in inner
      ? ({ $case: 'requestPut', value: inner } as const)
      : ({ $case: 'requestTxn', value: inner } as const)
  return TxnRequest.fromPartial({ success: [{ request }] })
}

/** The real files, of which none can be synced while the disk is broken. */
function breakable(disk: { isBroken: boolean }): FileSystem {
  const wrap = (handle: FileHandle): FileHandle => ({
    path: handle.path,
    read: (offset, size) => handle.read(offset, size),
    write: (offset, chunks) => handle.write(offset, chunks),
    sync: () => (disk.isBroken ? Promise.reject(new Error('EIO')) : handle.sync()),
    truncate: (size) => handle.truncate(size),
    close: () => handle.close(),
  })
  return {
    ...Object.fromEntries(
      (
        [
          'list',
          'findSize',
          'makeDirectory',
          'rename',
          'remove',
          'removeTree',
          'syncDirectory',
        ] as const
      ).map((name) => [name, nodeFileSystem[name].bind(nodeFileSystem)]),
    ),
    open: async (path, options) => wrap(await nodeFileSystem.open(path, options)),
    openForReading: (path) => nodeFileSystem.openForReading(path),
  } as FileSystem
}
