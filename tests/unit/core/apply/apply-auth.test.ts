import { describe, expect, test } from 'vitest'
import type { AuthOperation } from '../../../../src/core/apply/auth-operation.ts'
import {
  decodeEnvelope,
  encodeEnvelope,
  type LoggedRequest,
} from '../../../../src/core/apply/request-envelope.ts'
import type { AuthInfo } from '../../../../src/core/auth/auth-store.ts'
import { requestId } from '../../../../src/core/base/ids.ts'
import type { TxnRequest } from '../../../../src/core/proto/gen/rpc.ts'
import { ApplyFixture, bytes, deletion, logged, op, put, range, txn } from './apply-fixture.ts'

const auth = (operation: AuthOperation): LoggedRequest => ({ kind: 'auth', operation })

const userAdd = (name: string): LoggedRequest =>
  auth({
    kind: 'userAdd',
    request: { name, password: '', hashedPassword: 'aGFzaA==', options: undefined },
  })
const grantRole = (user: string, role: string): LoggedRequest =>
  auth({ kind: 'userGrantRole', request: { user, role } })
const permit = (name: string, permType: 0 | 1 | 2, key: string, rangeEnd = ''): LoggedRequest =>
  auth({
    kind: 'roleGrantPermission',
    request: { name, perm: { permType, key: bytes(key), rangeEnd: bytes(rangeEnd) } },
  })

/** Checks on; `weak` may read [r, s) and write w. */
async function guarded(): Promise<ApplyFixture> {
  const fixture = await ApplyFixture.open()
  fixture.put('secret', 'value')
  for (const step of [
    userAdd('root'),
    grantRole('root', 'root'),
    userAdd('weak'),
    auth({ kind: 'roleAdd', request: { name: 'some' } }),
    permit('some', 0, 'r', 's'),
    permit('some', 1, 'w'),
    grantRole('weak', 'some'),
    auth({ kind: 'enable', request: {} }),
  ]) {
    expect(fixture.refusalOf(step)).toBeUndefined()
  }
  return fixture
}

const by = (fixture: ApplyFixture, username: string): AuthInfo => ({
  username,
  revision: fixture.state.auth.revision,
})

describe('checks while entries are applied', () => {
  test('let root do everything and a user what the roles allow', async () => {
    const fixture = await guarded()
    expect(fixture.refusalOf(logged.put(put('x')), by(fixture, 'root'))).toBeUndefined()
    expect(fixture.refusalOf(logged.put(put('w')), by(fixture, 'weak'))).toBeUndefined()
    expect(fixture.refusalOf(logged.put(put('x')), by(fixture, 'weak'))).toBe('permissionDenied')
  })

  test('refuse who says nothing, and who was let in under older rules', async () => {
    const fixture = await guarded()
    expect(fixture.refusalOf(logged.put(put('w')))).toBe('userEmpty')
    const old = by(fixture, 'weak')
    fixture.apply(userAdd('other'), by(fixture, 'root'))
    expect(fixture.refusalOf(logged.put(put('w')), old)).toBe('authOldRevision')
  })

  test('do not tell the pair before to who may only write', async () => {
    const fixture = await guarded()
    const weak = by(fixture, 'weak')
    expect(fixture.refusalOf(logged.put(put('w', '', { prevKv: true })), weak)).toBe(
      'permissionDenied',
    )
    expect(
      fixture.refusalOf(logged.deletion({ ...deletion('w'), prevKv: false }), weak),
    ).toBeUndefined()
    expect(fixture.refusalOf(logged.deletion({ ...deletion('w'), prevKv: true }), weak)).toBe(
      'permissionDenied',
    )
  })

  const hidden: readonly [string, TxnRequest][] = [
    ['in the branch that does not run', txn({ failure: [op.range(range('secret'))] })],
    [
      'in a transaction inside',
      txn({ success: [op.txn(txn({ success: [op.put(put('secret'))] }))] }),
    ],
    [
      'in a branch that does not run of a transaction inside',
      txn({ success: [op.txn(txn({ failure: [op.deletion(deletion('secret'))] }))] }),
    ],
    [
      'in a condition',
      txn({
        compare: [
          {
            result: 0,
            target: 0,
            key: bytes('secret'),
            rangeEnd: new Uint8Array(0),
            targetUnion: { $case: 'version', value: 1n },
          },
        ],
      }),
    ],
  ]
  test.each(hidden)('find what is hidden %s', async (_where, request) => {
    const fixture = await guarded()
    const writes = { ...request, success: [...request.success, op.put(put('w'))] }
    const before = fixture.state.store.currentRevision
    expect(fixture.refusalOf(logged.txn(writes), by(fixture, 'weak'))).toBe('permissionDenied')
    expect(fixture.state.store.currentRevision).toBe(before)
  })

  test('protect the keys of a lease from who may not write them all', async () => {
    const fixture = await guarded()
    const [root, weak] = [by(fixture, 'root'), by(fixture, 'weak')]
    fixture.apply({ kind: 'leaseGrant', request: { ID: 7n, TTL: 60n } }, weak)
    fixture.apply(logged.put(put('secret', '', { lease: 7n })), root)
    expect(fixture.refusalOf(logged.put(put('w', '', { lease: 7n })), weak)).toBe(
      'permissionDenied',
    )
    const revoke: LoggedRequest = { kind: 'leaseRevoke', request: { ID: 7n } }
    expect(fixture.refusalOf(revoke, weak)).toBe('permissionDenied')
    expect(fixture.refusalOf({ kind: 'leaseRevoke', request: { ID: 8n } }, weak)).toBe(
      'leaseNotFound',
    )
    expect(fixture.refusalOf(revoke, root)).toBeUndefined()
  })

  test('keep compaction and administration to root', async () => {
    const fixture = await guarded()
    for (const request of [logged.compact(2n), userAdd('new'), permit('some', 2, 'a', '\0')]) {
      expect(fixture.refusalOf(request, by(fixture, 'weak'))).toBe('permissionDenied')
      expect(fixture.refusalOf(request, by(fixture, 'root'))).toBeUndefined()
    }
  })
})

describe('logging in', () => {
  const login = (name: string): LoggedRequest =>
    auth({ kind: 'authenticate', request: { name, password: '', simpleToken: 'letters' } })

  test('gives out a token that names its entry, to every member', async () => {
    const fixture = await guarded()
    const index = fixture.nextIndex
    const turn = fixture.applyEntries([fixture.entryOf(login('weak'))])
    expect(turn.outcomes[0]?.outcome).toMatchObject({ kind: 'auth', token: `letters.${index}` })
    expect(turn.tokenChanges).toEqual([
      { kind: 'assigned', token: `letters.${index}`, username: 'weak' },
    ])
  })

  test('is refused where the checks are off, and to who has gone', async () => {
    expect((await ApplyFixture.open()).refusalOf(login('root'))).toBe('authNotEnabled')
    expect((await guarded()).refusalOf(login('nobody'))).toBe('authFailed')
  })

  test('ends with a new password, with the user, and with the checks', async () => {
    const fixture = await guarded()
    const changes = (request: LoggedRequest): unknown =>
      fixture.applyEntries([fixture.entryOf(request, by(fixture, 'root'))]).tokenChanges
    const password = { name: 'weak', password: '', hashedPassword: 'eA==' }
    expect(changes(auth({ kind: 'userChangePassword', request: password }))).toEqual([
      { kind: 'userForgotten', username: 'weak' },
    ])
    expect(changes(auth({ kind: 'userDelete', request: { name: 'weak' } }))).toEqual([
      { kind: 'userForgotten', username: 'weak' },
    ])
    expect(changes(auth({ kind: 'disable', request: {} }))).toEqual([{ kind: 'allForgotten' }])
  })
})

describe('operations on users and roles', () => {
  test('come back from the log as they went in, with who asked', () => {
    const operations: AuthOperation[] = [
      { kind: 'enable', request: {} },
      { kind: 'disable', request: {} },
      { kind: 'authenticate', request: { name: 'a', password: '', simpleToken: 't' } },
      { kind: 'userDelete', request: { name: 'a' } },
      { kind: 'userGrantRole', request: { user: 'a', role: 'r' } },
      { kind: 'userRevokeRole', request: { name: 'a', role: 'r' } },
      { kind: 'roleAdd', request: { name: 'r' } },
      { kind: 'roleDelete', request: { role: 'r' } },
      {
        kind: 'roleRevokePermission',
        request: { role: 'r', key: bytes('k'), rangeEnd: bytes('l') },
      },
    ]
    for (const operation of operations) {
      const envelope = {
        id: requestId(5n),
        logged: auth(operation),
        requester: { username: 'root', revision: 9 },
      }
      expect(decodeEnvelope(encodeEnvelope(envelope))).toEqual(envelope)
    }
  })
})
