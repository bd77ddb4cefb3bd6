/** Users and roles as entries change them. Source: etcd v3 API, Auth. */
import type { AuthStore } from '../auth/auth-store.ts'
import type { BackendBatch } from '../backend/backend.ts'
import { assertNever } from '../base/assert.ts'
import { StoreError } from '../errors/store-error.ts'
import type { AuthOperation } from './auth-operation.ts'

/** What entries did to tokens, for whoever keeps them: in order. */
export type TokenChange =
  | { readonly kind: 'assigned'; readonly token: string; readonly username: string }
  | { readonly kind: 'userForgotten'; readonly username: string }
  | { readonly kind: 'allForgotten' }

export interface AuthContext {
  readonly auth: AuthStore
  readonly batch: BackendBatch
  /** Index of the entry: part of a token given out by it. */
  readonly index: number
  readonly tokenChanges: TokenChange[]
}

/**
 * Carries out one operation. Questions change nothing; who asks them reads the store.
 * @returns the token given out, if one was
 * @throws StoreError  as `AuthStore` does; `authNotEnabled`, `authFailed`, `permissionNotGiven`
 */
export function applyAuthOperation(
  context: AuthContext,
  operation: AuthOperation,
): string | undefined {
  const { auth, batch, tokenChanges } = context
  switch (operation.kind) {
    case 'enable':
      auth.enable(batch)
      return undefined
    case 'disable':
      if (auth.disable(batch)) tokenChanges.push({ kind: 'allForgotten' })
      return undefined
    case 'authenticate':
      return assignToken(context, operation.request)
    case 'userAdd': {
      const { name, options } = operation.request
      const passwordHash = hashOf(operation.request)
      const hasNoPassword = options?.noPassword ?? false
      auth.addUser(batch, {
        name,
        passwordHash: hasNoPassword ? new Uint8Array(0) : passwordHash,
        hasNoPassword,
      })
      return undefined
    }
    case 'userDelete':
      auth.deleteUser(batch, operation.request.name)
      tokenChanges.push({ kind: 'userForgotten', username: operation.request.name })
      return undefined
    case 'userChangePassword':
      auth.changePassword(batch, operation.request.name, hashOf(operation.request))
      tokenChanges.push({ kind: 'userForgotten', username: operation.request.name })
      return undefined
    case 'userGrantRole':
      auth.grantRole(batch, operation.request.user, operation.request.role)
      return undefined
    case 'userRevokeRole':
      auth.revokeRole(batch, operation.request.name, operation.request.role)
      return undefined
    default:
      applyRoleOperation(context, operation)
      return undefined
  }
}

type RoleOperation = Extract<
  AuthOperation,
  {
    readonly kind:
      | 'roleAdd'
      | 'roleDelete'
      | 'roleGrantPermission'
      | 'roleRevokePermission'
      | 'roleGet'
      | 'roleList'
      | 'userGet'
      | 'userList'
      | 'status'
  }
>

function applyRoleOperation({ auth, batch }: AuthContext, operation: RoleOperation): void {
  switch (operation.kind) {
    case 'roleAdd':
      auth.addRole(batch, operation.request.name)
      return
    case 'roleDelete':
      auth.deleteRole(batch, operation.request.role)
      return
    case 'roleGrantPermission': {
      const { name, perm } = operation.request
      if (perm === undefined) throw new StoreError('permissionNotGiven', { role: name })
      const { permType, key, rangeEnd } = perm
      auth.grantPermission(batch, name, { type: permType, key, rangeEnd })
      return
    }
    case 'roleRevokePermission':
      auth.revokePermission(batch, operation.request.role, operation.request)
      return
    case 'roleGet':
      auth.getRole(operation.request.role)
      return
    case 'userGet':
      auth.getUser(operation.request.name)
      return
    case 'roleList':
    case 'userList':
    case 'status':
      return
    default:
      assertNever(operation, 'operation on roles')
  }
}

/** The password was checked before this was proposed; the user may have gone since. */
function assignToken(
  context: AuthContext,
  request: { readonly name: string; readonly simpleToken: string },
): string | undefined {
  if (!context.auth.isEnabled) throw new StoreError('authNotEnabled')
  if (context.auth.findUser(request.name) === undefined) {
    throw new StoreError('authFailed', { user: request.name })
  }
  if (request.simpleToken === '') return undefined
  const token = `${request.simpleToken}.${context.index}`
  context.tokenChanges.push({ kind: 'assigned', token, username: request.name })
  return token
}

/** Members of version 3.5 and later propose the hash in base64; older ones put it in the place of the password. */
function hashOf(request: {
  readonly password: string
  readonly hashedPassword: string
}): Uint8Array {
  if (request.hashedPassword !== '') return fromBase64(request.hashedPassword)
  return new TextEncoder().encode(request.password)
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64'))
}
