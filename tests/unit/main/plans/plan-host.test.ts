import { describe, expect, test } from 'vitest'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import {
  importColumnsOf,
  keyRevisionColumnsOf,
} from '../../../../src/preload/contract/plan-columns.ts'
import { FakePlanCluster } from '../../../helpers/fake-plan-cluster.ts'
import { FakeStore } from '../../../helpers/fake-store.ts'
import { bytes, PlanWorld, textOf } from '../../../helpers/plan-world.ts'

const prefix = { kind: 'prefix', prefix: bytes('/a/') } as const

function filled(count: number, value = 'v'): PlanWorld {
  const world = new PlanWorld()
  for (let number = 0; number < count; number++) {
    world.put(`/a/${String(number).padStart(5, '0')}`, value)
  }
  return world
}

describe('computing', () => {
  test('a prefix that is deleted counts its keys and their values, and names the revision', async () => {
    const world = filled(1_200, 'four')
    world.put('/b/stays', 'x')
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    expect(plan.summary).toMatchObject({
      deleteCount: 1_200,
      createCount: 0,
      updateCount: 0,
      oldSizeBytes: 4_800,
      revision: world.store.revision,
      shownCount: 1_200,
    })
    expect(plan.rows).toHaveLength(1_200)
    expect(plan.rows[0]).toMatchObject({ act: 'delete', oldSizeBytes: 4, newSizeBytes: -1 })
  })

  test('a restore puts back, changes back and deletes, and leaves alone what is the same', async () => {
    const world = new PlanWorld()
    world.put('/a/changed', 'one')
    world.put('/a/gone', 'two')
    world.put('/a/same', 'three')
    const wanted = world.put('/a/twice', 'four')
    world.put('/a/changed', 'other')
    world.remove('/a/gone')
    world.put('/a/new', 'five')
    // Written twice and now as it was: nothing to be done.
    world.put('/a/twice', 'else')
    world.put('/a/twice', 'four')
    const plan = await world.open({ kind: 'restore', range: prefix, revision: wanted })
    expect(plan.rows.map(({ key, act }) => `${act} ${textOf(key) ?? ''}`)).toEqual([
      'update /a/changed',
      'create /a/gone',
      'delete /a/new',
    ])
    expect(plan.summary).toMatchObject({ sameCount: 2, sourceRevision: wanted })
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ doneCount: 3, putCount: 2, deletedCount: 1, skippedCount: 0 })
    expect(world.state()).toEqual(world.state(wanted))
  })

  test('chosen keys are restored and others are not', async () => {
    const world = new PlanWorld()
    world.put('/a/1', 'one')
    const wanted = world.put('/a/2', 'two')
    world.remove('/a/1', '/a/2')
    const keys = keyRevisionColumnsOf([{ key: bytes('/a/2'), revision: 0 }])
    await world.carryOut({ kind: 'restore', range: prefix, keys, revision: wanted })
    expect([...world.state()]).toEqual([['/a/2', 'two']])
  })

  test('a key that changed since it was seen is a conflict, one that is gone is as wanted', async () => {
    const world = filled(3)
    const seen = world.store.find(bytes('/a/00001'))?.modRevision ?? 0
    world.put('/a/00001', 'other')
    world.remove('/a/00002')
    const keys = keyRevisionColumnsOf([
      { key: bytes('/a/00000'), revision: world.store.find(bytes('/a/00000'))?.modRevision ?? 0 },
      { key: bytes('/a/00001'), revision: seen },
      { key: bytes('/a/00002'), revision: seen + 1 },
    ])
    const plan = await world.open({ kind: 'deleteKeys', keys })
    expect(plan.rows.map(({ act }) => act)).toEqual(['delete', 'conflict'])
    expect(plan.summary).toMatchObject({ deleteCount: 1, conflictCount: 1, sameCount: 1 })
    await world.run(plan.planId)
    expect([...world.state().keys()]).toEqual(['/a/00001'])
  })

  test('deleted keys get the value from before their deletion; one that exists again is left alone', async () => {
    const world = new PlanWorld()
    world.put('/a/1', 'one')
    world.put('/a/2', 'two')
    const first = world.remove('/a/1')
    const second = world.remove('/a/2')
    world.put('/a/2', 'new')
    const keys = keyRevisionColumnsOf([
      { key: bytes('/a/1'), revision: first },
      { key: bytes('/a/2'), revision: second },
    ])
    const report = await world.carryOut({ kind: 'restoreDeleted', keys })
    expect(report.doneCount).toBe(1)
    expect(Object.fromEntries(world.state())).toEqual({ '/a/1': 'one', '/a/2': 'new' })
  })

  test('values that were compacted away are told, and the others come back', async () => {
    const world = filled(300)
    const revisions: number[] = []
    for (let number = 0; number < 300; number++)
      revisions.push(world.remove(`/a/${String(number).padStart(5, '0')}`))
    world.store.compactedRevision = revisions[99] ?? 0
    const keys = keyRevisionColumnsOf(
      revisions.map((revision, number) => ({
        key: bytes(`/a/${String(number).padStart(5, '0')}`),
        revision,
      })),
    )
    const plan = await world.open({ kind: 'restoreDeleted', keys })
    expect(plan.summary).toMatchObject({
      createCount: 200,
      unreadableCount: 100,
      conflictCount: 100,
    })
    await world.run(plan.planId)
    expect(world.state().size).toBe(200)
  })

  test('a folder gets another name: each key with its value and lease, a name that is taken leaves its key alone', async () => {
    const world = new PlanWorld()
    world.leases.add(7n)
    world.put('/a/1', 'one', 7n)
    world.put('/a/deep/2', 'two')
    world.put('/a/taken', 'three')
    world.put('/new/taken', 'theirs')
    const plan = await world.open({ kind: 'rename', prefix: bytes('/a/'), to: bytes('/new/') })
    expect(plan.rows.map(({ key, act }) => `${act} ${textOf(key) ?? ''}`)).toEqual([
      ...['create /new/1', 'delete /a/1', 'create /new/deep/2', 'delete /a/deep/2'],
      'conflict /new/taken',
    ])
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ doneCount: 4, putCount: 2, deletedCount: 2 })
    expect(Object.fromEntries(world.state())).toEqual({
      ...{ '/a/taken': 'three', '/new/1': 'one', '/new/deep/2': 'two', '/new/taken': 'theirs' },
    })
    expect(world.store.find(bytes('/new/1'))?.lease).toBe(7n)
  })

  test('a key that is left out of new names keeps its own, whichever of its two rows was named', async () => {
    const world = filled(3)
    const plan = await world.open({ kind: 'rename', prefix: bytes('/a/'), to: bytes('/b/') })
    await world.run(plan.planId, { excludedRows: Uint32Array.from([1, 2]) })
    expect([...world.state().keys()]).toEqual(['/a/00000', '/a/00001', '/b/00002'])
  })

  test('an import tells new, changed and same keys; the last of two rows of one key counts', async () => {
    const world = new PlanWorld()
    world.put('/a/same', 'one')
    world.put('/a/there', 'two')
    const rows = importColumnsOf([
      { key: bytes('/a/new'), value: bytes('first') },
      { key: bytes('/a/there'), value: bytes('changed') },
      { key: bytes('/a/same'), value: bytes('one') },
      { key: bytes('/a/new'), value: bytes('second'), leaseTtlSeconds: 60 },
    ])
    const careful = await world.open({ kind: 'import', rows, mode: 'skipExisting' })
    expect(careful.summary).toMatchObject({ createCount: 1, updateCount: 0, conflictCount: 2 })
    careful.close()
    const plan = await world.open({ kind: 'import', rows, mode: 'overwrite' })
    expect(plan.summary).toMatchObject({ createCount: 1, updateCount: 1, sameCount: 1 })
    await world.run(plan.planId)
    expect(Object.fromEntries(world.state())).toEqual({
      '/a/new': 'second',
      '/a/same': 'one',
      '/a/there': 'changed',
    })
    expect(world.store.find(bytes('/a/new'))?.lease).toBe(1_060n)
  })

  test('another cluster is brought over, with or without deleting what it does not have', async () => {
    const world = new PlanWorld()
    const other = new FakePlanCluster(new FakeStore())
    world.others.set('other', other)
    other.store.put(bytes('/a/1'), bytes('theirs'), 77n)
    other.store.put(bytes('/a/2'), bytes('same'))
    world.put('/a/2', 'same')
    world.put('/a/3', 'mine')
    const from = { connectionId: 'other', revision: 0 }
    const source = { kind: 'apply', from, range: prefix } as const
    const plan = await world.open({ ...source, deletesExtra: false })
    expect(plan.summary).toMatchObject({ createCount: 1, deleteCount: 0, lostLeaseCount: 1 })
    await world.run(plan.planId)
    expect(Object.fromEntries(world.state())).toEqual({
      '/a/1': 'theirs',
      '/a/2': 'same',
      '/a/3': 'mine',
    })
    await world.carryOut({ ...source, deletesExtra: true })
    expect([...world.state().keys()]).toEqual(['/a/1', '/a/2'])
  })

  test('a lease that is gone is said, one that exists is attached again', async () => {
    const world = new PlanWorld()
    world.leases.add(5n)
    world.put('/a/1', 'one', 5n)
    const wanted = world.put('/a/2', 'two', 6n)
    world.remove('/a/1', '/a/2')
    const plan = await world.open({ kind: 'restore', range: prefix, revision: wanted })
    expect(plan.rows.map(({ hasLostLease }) => hasLostLease)).toEqual([false, true])
    await world.run(plan.planId)
    expect(world.store.find(bytes('/a/1'))?.lease).toBe(5n)
    expect(world.store.find(bytes('/a/2'))?.lease).toBe(0n)
  })
})

describe('running', () => {
  test('what changed since the preview is left alone and reported, and the rest of its batch is written', async () => {
    const world = filled(200)
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    world.put('/a/00007', 'changed')
    world.remove('/a/00130')
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ doneCount: 198, skippedCount: 2, failedCount: 0 })
    expect(report.lines.map(({ key, outcome }) => `${outcome} ${textOf(key) ?? ''}`)).toEqual([
      'skipped /a/00007',
      'skipped /a/00130',
    ])
    expect([...world.state()]).toEqual([['/a/00007', 'changed']])
  })

  test('rows that were taken out do not run', async () => {
    const world = filled(3)
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    await world.run(plan.planId, { excludedRows: Uint32Array.of(1) })
    expect([...world.state().keys()]).toEqual(['/a/00001'])
  })

  test('a server with smaller limits gets smaller transactions, and remembers nothing by halves', async () => {
    const world = filled(500)
    world.cluster.faults.operationsMax = 10
    const report = await world.carryOut({ kind: 'deleteRange', range: prefix })
    expect(report).toMatchObject({ doneCount: 500, failedCount: 0 })
    expect(world.cluster.largestWrite).toBeLessThanOrEqual(10)
    // Halved until it fits, then never tried too large again: 8 at a time.
    expect(world.cluster.writeCount).toBeLessThanOrEqual(500 / 8 + 16)
  })

  test('a transaction stays below a mebibyte, and a value that no request can hold fails alone', async () => {
    const world = new PlanWorld()
    world.cluster.faults.requestSizeBytesMax = 100_000
    const rows = importColumnsOf([
      ...Array.from({ length: 40 }, (_, number) => ({
        key: bytes(`/a/${String(number)}`),
        value: new Uint8Array(20_000),
      })),
      { key: bytes('/a/huge'), value: new Uint8Array(200_000) },
    ])
    const report = await world.carryOut({ kind: 'import', rows, mode: 'overwrite' })
    expect(report).toMatchObject({ doneCount: 40, failedCount: 1 })
    expect(report.lines.map(({ key }) => textOf(key))).toEqual(['/a/huge'])
  })

  test('a key that may not be written fails alone', async () => {
    const world = filled(300)
    const forbidden = bytes('/a/00150')
    world.cluster.faults.isForbidden = (key) => textOf(key) === textOf(forbidden)
    const report = await world.carryOut({ kind: 'deleteRange', range: prefix })
    expect(report).toMatchObject({ doneCount: 299, failedCount: 1 })
    expect(report.lines[0]?.reason).toContain('permission denied')
  })

  test('a cancel stops the sending, tells what was not sent, and leaves what was written undoable', async () => {
    const world = filled(2_000)
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    let writes = 0
    world.cluster.faults.beforeWrite = () => {
      if (++writes === 3) world.host.cancel(plan.planId)
      return undefined
    }
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ isCanceled: true, doneCount: 384, notSentCount: 1_616 })
    expect(report.undoableCount).toBe(384)
    expect(world.state().size).toBe(1_616)
  })

  test('a cluster that stops answering ends the run, and the rest is not sent', async () => {
    const world = filled(300)
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    let writes = 0
    world.cluster.faults.beforeWrite = () => {
      if (++writes === 2) throw new StoreError('noLeader')
      return undefined
    }
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ doneCount: 128, notSentCount: 172, isCanceled: false })
    expect(report.error?.code).toBe('noLeader')
  })

  test('a lost answer is read back and never sent again: written', async () => {
    const world = filled(200)
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    let writes = 0
    world.cluster.faults.beforeWrite = () =>
      ++writes === 1 ? new StoreError('timeout', { isOutcomeUnknown: true }) : undefined
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ doneCount: 200, failedCount: 0, unknownCount: 0 })
    expect(report.lines.filter(({ outcome }) => outcome === 'applied')).toHaveLength(128)
    expect(world.cluster.writeCount).toBe(2)
  })

  test('a lost answer is read back: not written', async () => {
    const world = filled(100)
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    world.cluster.faults.beforeWrite = () => {
      throw new StoreError('timeout', { isOutcomeUnknown: true })
    }
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ doneCount: 0, failedCount: 100 })
    expect(report.lines.every(({ outcome }) => outcome === 'notApplied')).toBe(true)
  })

  test('a lost answer whose keys somebody wrote since cannot be told', async () => {
    const world = new PlanWorld()
    const rows = importColumnsOf([{ key: bytes('/a/1'), value: bytes('mine') }])
    const plan = await world.open({ kind: 'import', rows, mode: 'overwrite' })
    world.cluster.faults.beforeWrite = () => {
      world.cluster.faults.beforeWrite = undefined
      world.put('/a/1', 'theirs')
      return new StoreError('timeout', { isOutcomeUnknown: true })
    }
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ doneCount: 0, unknownCount: 1 })
  })

  test('two plans never run at once on one connection, and a plan runs once', async () => {
    const world = filled(1_000)
    const first = await world.open({ kind: 'deleteRange', range: prefix })
    const second = await world.open({ kind: 'deleteRange', range: prefix })
    const running = world.run(first.planId)
    await expect(world.run(second.planId)).rejects.toThrow('Another plan is running')
    await running
    await expect(world.run(first.planId)).rejects.toThrow('has run already')
    await expect(world.run(second.planId)).resolves.toMatchObject({ skippedCount: 1_000 })
  })

  test('a plan that was closed is forgotten', async () => {
    const world = filled(1)
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    plan.close()
    await expect(world.run(plan.planId)).rejects.toThrow('was closed')
  })

  test('a connection that is locked while a plan runs stops it', async () => {
    const world = filled(300)
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    world.cluster.faults.beforeWrite = () => {
      world.isReadOnly = true
      return undefined
    }
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ doneCount: 128, notSentCount: 172 })
    expect(report.error).toBeDefined()
  })
})

describe('undoing', () => {
  test('all kinds of writes are taken back, but not where somebody wrote since', async () => {
    const world = new PlanWorld()
    for (const name of ['1', '2', '3', '4']) world.put(`/a/${name}`, `old ${name}`)
    const before = world.state()
    const rows = importColumnsOf(
      ['3', '4', '5', '6'].map((name) => ({ key: bytes(`/a/${name}`), value: bytes('imported') })),
    )
    const imported = await world.carryOut({ kind: 'import', rows, mode: 'overwrite' })
    expect(imported.undoableCount).toBe(4)
    world.put('/a/4', 'somebody')
    world.put('/a/6', 'somebody')
    const plan = await world.open({ kind: 'undo', planId: imported.planId })
    expect(plan.rows.map(({ act }) => act)).toEqual(['update', 'conflict', 'delete', 'conflict'])
    const report = await world.run(plan.planId)
    expect(report).toMatchObject({ doneCount: 2, skippedCount: 2, sourceKind: 'undo' })
    expect(report.lines.map(({ key, outcome }) => [textOf(key), outcome])).toEqual([
      ['/a/4', 'skipped'],
      ['/a/6', 'skipped'],
    ])
    expect(world.state()).toEqual(new Map([...before, ['/a/4', 'somebody'], ['/a/6', 'somebody']]))
    expect(world.host.reports('c').map(({ undoableCount }) => undoableCount)).toEqual([2, 0])
  })

  test('an undo can be undone', async () => {
    const world = filled(150)
    const removed = await world.carryOut({ kind: 'deleteRange', range: prefix })
    const undone = await world.carryOut({ kind: 'undo', planId: removed.planId })
    expect(world.state().size).toBe(150)
    await world.carryOut({ kind: 'undo', planId: undone.planId })
    expect(world.state().size).toBe(0)
  })

  test('old values beyond what is kept are read from the past, until that is compacted', async () => {
    const world = new PlanWorld()
    const large = 'x'.repeat(1_000_000)
    for (let number = 0; number < 40; number++) world.put(`/a/${String(number)}`, large)
    const removed = await world.carryOut({ kind: 'deleteRange', range: prefix })
    const whole = await world.open({ kind: 'undo', planId: removed.planId })
    expect(whole.summary).toMatchObject({ createCount: 40, unreadableCount: 0 })
    whole.close()
    world.put('/b', 'x')
    world.store.compactedRevision = world.store.revision
    const partial = await world.open({ kind: 'undo', planId: removed.planId })
    expect(partial.summary).toMatchObject({ createCount: 33, unreadableCount: 7 })
  })

  test('what was written with a lost answer is undone, too', async () => {
    const world = filled(10)
    const before = world.state()
    const plan = await world.open({ kind: 'deleteRange', range: prefix })
    world.cluster.faults.beforeWrite = () => {
      world.cluster.faults.beforeWrite = undefined
      return new StoreError('timeout', { isOutcomeUnknown: true })
    }
    const report = await world.run(plan.planId)
    await world.carryOut({ kind: 'undo', planId: report.planId })
    expect(world.state()).toEqual(before)
  })
})
