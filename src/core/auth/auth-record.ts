/** Users and roles as stored: authpb.User and authpb.Role, byte for byte as etcd writes them. */
import { compareBytes, copyBytes } from '../base/bytes.ts'
import {
  type Permission_Type,
  Role as RoleMessage,
  User as UserMessage,
} from '../proto/gen/auth.ts'
import type { Permission } from './permission.ts'

export interface User {
  readonly name: string
  /** A bcrypt hash; empty for a user who can log in only with a certificate. */
  readonly passwordHash: Uint8Array
  /** Sorted. */
  readonly roles: readonly string[]
  readonly hasNoPassword: boolean
}

export interface Role {
  readonly name: string
  /** Sorted by key; with equal keys, what was granted first comes first. */
  readonly permissions: readonly Permission[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A name as the key of its bucket. */
export function encodeName(name: string): Uint8Array {
  return encoder.encode(name)
}

/** By their bytes, as etcd sorts; not by UTF-16 units. */
export function compareNames(left: string, right: string): number {
  return compareBytes(encoder.encode(left), encoder.encode(right))
}

export function encodeUser(user: User): Uint8Array {
  return copyBytes(
    UserMessage.encode({
      name: encoder.encode(user.name),
      password: user.passwordHash,
      roles: [...user.roles],
      options: { noPassword: user.hasNoPassword },
    }).finish(),
  )
}

export function decodeUser(value: Uint8Array): User {
  const message = UserMessage.decode(value)
  return {
    name: decoder.decode(message.name),
    passwordHash: copyBytes(message.password),
    roles: message.roles,
    hasNoPassword: message.options?.noPassword ?? false,
  }
}

export function encodeRole(role: Role): Uint8Array {
  return copyBytes(
    RoleMessage.encode({
      name: encoder.encode(role.name),
      keyPermission: role.permissions.map(({ type, key, rangeEnd }) => ({
        permType: type as Permission_Type,
        key,
        rangeEnd,
      })),
    }).finish(),
  )
}

export function decodeRole(value: Uint8Array): Role {
  const message = RoleMessage.decode(value)
  return {
    name: decoder.decode(message.name),
    permissions: message.keyPermission.map(({ permType, key, rangeEnd }) => ({
      type: permType,
      key: copyBytes(key),
      rangeEnd: copyBytes(rangeEnd),
    })),
  }
}
