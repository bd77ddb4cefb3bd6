import { describe, expect, test } from 'vitest'
import type { LoggedRequest } from '../../../../src/core/apply/request-envelope.ts'
import { leaseId } from '../../../../src/core/base/ids.ts'
import { AlarmRequest_AlarmAction, AlarmType } from '../../../../src/core/proto/gen/rpc.ts'
import { ApplyFixture, deletion, logged, op, put, range, textOf, txn } from './apply-fixture.ts'

const grant = (ID: bigint, TTL = 60n): LoggedRequest => ({
  kind: 'leaseGrant',
  request: { ID, TTL },
})
const revoke = (ID: bigint): LoggedRequest => ({ kind: 'leaseRevoke', request: { ID } })

function keysOf(fixture: ApplyFixture, id: bigint): string[] {
  return fixture.state.leases.keysOf(leaseId(id)).map(textOf)
}

describe('leases in the log', () => {
  test('are granted without a revision', async () => {
    const fixture = await ApplyFixture.open()
    expect(fixture.apply(grant(7n))).toEqual({
      kind: 'leaseGrant',
      lease: { id: 7n, ttlSeconds: 60, remainingTtlSeconds: 0 },
      revision: 1,
    })
    expect(fixture.refusalOf(grant(7n))).toBe('leaseExist')
    // The time is judged before the id.
    expect(fixture.refusalOf(grant(7n, 9_000_000_001n))).toBe('leaseTtlTooLarge')
  })

  test('hold the keys put with them, whatever wrote or deleted them', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(grant(7n))
    fixture.apply(logged.put(put('b', '', { lease: 7n })))
    fixture.apply(logged.txn(txn({ success: [op.put(put('a', '', { lease: 7n }))] })))
    expect(keysOf(fixture, 7n)).toEqual(['a', 'b'])
    fixture.apply(logged.put(put('a', 'kept', { ignoreLease: true })))
    expect(keysOf(fixture, 7n)).toEqual(['a', 'b'])
    fixture.apply(logged.put(put('a')))
    expect(keysOf(fixture, 7n)).toEqual(['b'])
    fixture.apply(logged.deletion(deletion('b')))
    expect(keysOf(fixture, 7n)).toEqual([])
  })

  test('a key deleted and written again in one transaction has the lease of the write', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(grant(7n))
    fixture.apply(grant(8n))
    fixture.apply(logged.put(put('a', '', { lease: 7n })))
    fixture.apply(
      logged.txn(txn({ success: [op.put(put('a', '', { lease: 8n })), op.range(range('a'))] })),
    )
    expect(keysOf(fixture, 7n)).toEqual([])
    expect(keysOf(fixture, 8n)).toEqual(['a'])
  })

  test('a put with a lease that is not there changes nothing', async () => {
    const fixture = await ApplyFixture.open()
    expect(fixture.refusalOf(logged.put(put('a', '', { lease: 9n })))).toBe('leaseNotFound')
    expect(fixture.state.store.currentRevision).toBe(1)
  })

  test('end with all their keys at one revision, in byte order', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(grant(7n))
    for (const key of ['c', 'a', 'b']) fixture.apply(logged.put(put(key, '', { lease: 7n })))
    const turn = fixture.applyEntries([fixture.entryOf(revoke(7n))])
    expect(turn.changes).toHaveLength(1)
    expect(turn.changes[0]?.revision).toBe(5)
    const deleted = turn.changes[0]?.changes ?? []
    expect(deleted.map(({ kind, keyValue }) => [kind, textOf(keyValue.key)])).toEqual([
      ['delete', 'a'],
      ['delete', 'b'],
      ['delete', 'c'],
    ])
    expect(turn.leaseChanges.revoked).toEqual([7n])
    expect(fixture.refusalOf(revoke(7n))).toBe('leaseNotFound')
  })

  test('end without a revision when they have no keys', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(grant(7n))
    expect(fixture.apply(revoke(7n))).toEqual({ kind: 'done', revision: 1 })
  })

  test('and their keys are there again after a restart', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(grant(7n))
    fixture.apply(logged.put(put('a', '', { lease: 7n })))
    fixture.apply({
      kind: 'leaseCheckpoint',
      request: {
        checkpoints: [
          { ID: 7n, remainingTTL: 12n },
          { ID: 8n, remainingTTL: 1n },
        ],
      },
    })
    const before = fixture.dump()
    await fixture.backend.close()
    await fixture.reopen()
    expect(fixture.dump()).toBe(before)
    expect(keysOf(fixture, 7n)).toEqual(['a'])
    expect(fixture.state.leases.find(leaseId(7n))?.remainingTtlSeconds).toBe(12)
    fixture.apply(revoke(7n))
    expect(fixture.state.store.currentRevision).toBe(3)
  })

  test('are not granted while there is no space, but end', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(grant(7n))
    fixture.apply(
      logged.alarm({
        action: AlarmRequest_AlarmAction.ACTIVATE,
        memberID: 1n,
        alarm: AlarmType.NOSPACE,
      }),
    )
    expect(fixture.refusalOf(grant(8n))).toBe('noSpace')
    expect(fixture.refusalOf(revoke(7n))).toBeUndefined()
  })

  test('neither begin nor end while data is known to be damaged', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(grant(7n))
    fixture.apply(
      logged.alarm({
        action: AlarmRequest_AlarmAction.ACTIVATE,
        memberID: 1n,
        alarm: AlarmType.CORRUPT,
      }),
    )
    expect(fixture.refusalOf(grant(8n))).toBe('corrupt')
    expect(fixture.refusalOf(revoke(7n))).toBe('corrupt')
  })

  test('a key of a kind nobody can print is attached as it is', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(grant(7n))
    const request = { ...put('x', '', { lease: 7n }), key: Uint8Array.of(0, 255, 1) }
    fixture.apply(logged.put(request))
    expect(fixture.state.leases.keysOf(leaseId(7n))).toEqual([Uint8Array.of(0, 255, 1)])
  })
})
