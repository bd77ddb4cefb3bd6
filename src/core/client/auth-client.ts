/** What the user of a connection may do, as far as the cluster tells them. */

import { Permission_Type } from '../proto/gen/auth.ts'
import { AuthDefinition } from '../proto/gen/rpc.ts'
import { callWithRetry, type CallEnvironment } from './retry-policy.ts'
import { bindMethod } from './rpc-method.ts'

/** One permission of a role. */
export interface RolePermission {
  readonly role: string
  readonly kind: 'read' | 'write' | 'readWrite'
  readonly start: Uint8Array
  /** As on the wire: empty for the one key, a single zero byte for everything from `start` on. */
  readonly rangeEnd: Uint8Array
}

/** Roles and permissions of one user. */
export interface UserAccess {
  readonly user: string
  readonly roles: readonly string[]
  readonly permissions: readonly RolePermission[]
}

const methods = {
  userGet: bindMethod(AuthDefinition, AuthDefinition.methods.userGet),
  roleGet: bindMethod(AuthDefinition, AuthDefinition.methods.roleGet),
}

export class AuthClient {
  private readonly environment: CallEnvironment

  constructor(environment: CallEnvironment) {
    this.environment = environment
  }

  /** Users may read their own roles, and what those allow. @throws StoreError as the cluster refuses */
  async access(user: string): Promise<UserAccess> {
    const read = { kind: 'read' } as const
    const { roles } = await callWithRetry(this.environment, methods.userGet, { name: user }, read)
    const permissions = await Promise.all(
      roles.map(async (role): Promise<readonly RolePermission[]> => {
        const { perm } = await callWithRetry(this.environment, methods.roleGet, { role }, read)
        return perm.map(({ permType, key, rangeEnd }) => ({
          role,
          kind: kindOf(permType),
          start: key,
          rangeEnd,
        }))
      }),
    )
    return { user, roles, permissions: permissions.flat() }
  }
}

function kindOf(type: Permission_Type): RolePermission['kind'] {
  switch (type) {
    case Permission_Type.WRITE:
      return 'write'
    case Permission_Type.READWRITE:
      return 'readWrite'
    default:
      return 'read'
  }
}
