/**
 * Whether the user of a request may have it carried out, decided while it is applied and alike on all members.
 *
 * Both branches of a transaction count, whichever will run, and nested transactions as the outer one: otherwise its answer
 * would tell what the user may not read. Source: etcd v3 API, "Permission per RPC".
 */
import type { AuthInfo, AuthStore } from '../auth/auth-store.ts'
import { assertNever } from '../base/assert.ts'
import { leaseId } from '../base/ids.ts'
import type { LeaseStore } from '../lease/lease-store.ts'
import {
  AlarmRequest_AlarmAction,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type TxnRequest,
} from '../proto/gen/rpc.ts'
import type { LoggedRequest } from './request-envelope.ts'

/** What decides: users and roles, and which keys a lease holds. */
export interface AccessRules {
  readonly auth: AuthStore
  readonly leases: LeaseStore
}

/**
 * @throws StoreError `userEmpty`, `userNotFound`, `authOldRevision`, `permissionDenied`
 */
export function checkAccess(rules: AccessRules, info: AuthInfo, logged: LoggedRequest): void {
  if (!rules.auth.isEnabled) return
  switch (logged.kind) {
    case 'range':
      checkRangeAccess(rules, info, logged.request)
      return
    case 'put':
      checkPutAccess(rules, info, logged.request)
      return
    case 'deleteRange':
      checkDeleteAccess(rules, info, logged.request)
      return
    case 'txn':
      checkTxnAccess(rules, info, logged.request)
      return
    case 'leaseGrant':
      rules.auth.checkUser(info)
      return
    case 'leaseRevoke':
      checkLeaseAccess(rules, info, { lease: logged.request.ID, access: 'write' })
      return
    case 'alarm':
      if (logged.request.action === AlarmRequest_AlarmAction.GET) rules.auth.checkUser(info)
      else rules.auth.checkRoot(info)
      return
    case 'compact':
    case 'auth':
      if (logged.kind === 'auth' && logged.operation.kind === 'authenticate') return
      rules.auth.checkRoot(info)
      return
    case 'leaseCheckpoint':
    case 'memberAttributes':
    case 'clusterVersion':
    case 'downgrade':
    case 'nothing':
      // Members say these of themselves; nobody can ask for them.
      return
    default:
      assertNever(logged, 'request')
  }
}

/** @throws StoreError as {@link checkAccess} */
export function checkRangeAccess(rules: AccessRules, info: AuthInfo, request: RangeRequest): void {
  rules.auth.checkRange(info, 'read', request)
}

/** @throws StoreError as {@link checkAccess} */
export function checkTxnAccess(rules: AccessRules, info: AuthInfo, request: TxnRequest): void {
  for (const compare of request.compare) rules.auth.checkRange(info, 'read', compare)
  for (const operation of [...request.success, ...request.failure]) {
    switch (operation.request?.$case) {
      case 'requestRange':
        checkRangeAccess(rules, info, operation.request.value)
        break
      case 'requestPut':
        checkPutAccess(rules, info, operation.request.value)
        break
      case 'requestDeleteRange':
        checkDeleteAccess(rules, info, operation.request.value)
        break
      case 'requestTxn':
        checkTxnAccess(rules, info, operation.request.value)
        break
      case undefined:
        break
      default:
        assertNever(operation.request, 'operation')
    }
  }
}

/**
 * Access to all keys of a lease. A lease that is not there has none: what then happens is the request's own answer.
 * @throws StoreError as {@link checkAccess}
 */
export function checkLeaseAccess(
  rules: AccessRules,
  info: AuthInfo,
  asked: { readonly lease: bigint; readonly access: 'read' | 'write' },
): void {
  if (!rules.auth.isEnabled) return
  rules.auth.checkUser(info)
  for (const key of rules.leases.keysOf(leaseId(asked.lease))) {
    rules.auth.checkRange(info, asked.access, { key, rangeEnd: noEnd })
  }
}

const noEnd = new Uint8Array(0)

function checkPutAccess(rules: AccessRules, info: AuthInfo, request: PutRequest): void {
  const key = { key: request.key, rangeEnd: noEnd }
  rules.auth.checkRange(info, 'write', key)
  if (request.prevKv) rules.auth.checkRange(info, 'read', key)
  if (request.lease !== 0n) checkLeaseAccess(rules, info, { lease: request.lease, access: 'write' })
}

function checkDeleteAccess(rules: AccessRules, info: AuthInfo, request: DeleteRangeRequest): void {
  rules.auth.checkRange(info, 'write', request)
  if (request.prevKv) rules.auth.checkRange(info, 'read', request)
}
