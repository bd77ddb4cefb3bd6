/**
 * Users, roles and the switch that turns the checks on; the same on all members.
 *
 * The problem: who may do what is decided while entries are applied, on every member, and all must decide alike. The plain
 * idea: everything a decision depends on is changed by log entries alone and kept in three buckets, mirrored in memory:
 * `auth` (the switch and the revision), `authUsers`, `authRoles`. Every change moves the auth revision, so that a request
 * that was let through under older rules is recognised. What follows from users and roles, the ranges a user may read and
 * write, is worked out when asked and thrown away at every change; it is never stored, so it cannot be stale.
 *
 * Tokens and passwords' hashing are elsewhere: they know time and chance.
 */
import type { BackendBatch, BackendReader } from '../backend/backend.ts'
import { encodeUint64, readUint64 } from '../backend/buckets.ts'
import { compareBytes } from '../base/bytes.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import { StoreError } from '../errors/store-error.ts'
import {
  compareNames,
  decodeRole,
  decodeUser,
  encodeName,
  encodeRole,
  encodeUser,
  type Role,
  type User,
} from './auth-record.ts'
import {
  allows,
  comparePermissions,
  CoveredRanges,
  isValidPermission,
  permissionOnEverything,
  type AccessKind,
  type Permission,
} from './permission.ts'

/** The user and the role that may do everything. */
export const rootName = 'root'

/** Who asked, and under which rules the request was let in. Revision 0: nobody said who asks. */
export interface AuthInfo {
  readonly username: string
  readonly revision: number
}

/** What the checks were told about a user, worked out from the roles. */
interface Access {
  readonly read: CoveredRanges
  readonly write: CoveredRanges
}

const authKeys = { enabled: encodeName('authEnabled'), revision: encodeName('authRevision') }
const firstRevision = 1

/** All users and roles; changed only by applied entries. */
export class AuthStore {
  /** Invariants: the same as the buckets with the open batch. */
  private readonly users = new Map<string, User>()
  private readonly roles = new Map<string, Role>()
  private isOn = false
  private authRevision = firstRevision
  private readonly accessByUser = new Map<string, Access>()

  /** @throws StorageFault  a stored record cannot be read */
  static open(reader: BackendReader): AuthStore {
    const store = new AuthStore()
    for (const { key, value } of reader.scan('authUsers', {})) {
      const user = decodeUser(value)
      store.load('authUsers', { key, name: user.name })
      store.users.set(user.name, user)
    }
    for (const { key, value } of reader.scan('authRoles', {})) {
      const role = decodeRole(value)
      store.load('authRoles', { key, name: role.name })
      store.roles.set(role.name, role)
    }
    store.isOn = reader.get('auth', authKeys.enabled)?.[0] === 1
    const revision = reader.get('auth', authKeys.revision)
    if (revision?.length === 8) store.authRevision = readUint64(revision, 0)
    return store
  }

  get isEnabled(): boolean {
    return this.isOn
  }

  /** Moves with every change of a user or role, and when the checks are turned off. */
  get revision(): number {
    return this.authRevision
  }

  /** Names, sorted. */
  listUsers(): readonly string[] {
    return [...this.users.keys()].sort(compareNames)
  }

  /** Names, sorted. */
  listRoles(): readonly string[] {
    return [...this.roles.keys()].sort(compareNames)
  }

  findUser(name: string): User | undefined {
    return this.users.get(name)
  }

  /** @throws StoreError `userNotFound` */
  getUser(name: string): User {
    const user = this.users.get(name)
    if (user === undefined) throw new StoreError('userNotFound', { user: name })
    return user
  }

  /** The role `root` is shown with everything, whatever was stored. @throws StoreError `roleNotFound` */
  getRole(name: string): Role {
    const role = this.roles.get(name)
    if (role === undefined) throw new StoreError('roleNotFound', { role: name })
    return name === rootName ? { name, permissions: [permissionOnEverything] } : role
  }

  /** Turns the checks on; does nothing when they are. @throws StoreError `rootUserNotExist`, `rootRoleNotExist` */
  enable(batch: BackendBatch): void {
    if (this.isOn) return
    const root = this.users.get(rootName)
    if (root === undefined) throw new StoreError('rootUserNotExist')
    if (!root.roles.includes(rootName)) throw new StoreError('rootRoleNotExist')
    this.setEnabled(batch, true)
  }

  /** Turns the checks off; does nothing when they are. @returns whether they were on */
  disable(batch: BackendBatch): boolean {
    if (!this.isOn) return false
    this.setEnabled(batch, false)
    this.noteChange(batch)
    return true
  }

  /** @throws StoreError `userEmpty`, `userAlreadyExist` */
  addUser(batch: BackendBatch, user: Omit<User, 'roles'>): void {
    if (user.name === '') throw new StoreError('userEmpty')
    if (this.users.has(user.name)) throw new StoreError('userAlreadyExist', { user: user.name })
    this.putUser(batch, { ...user, roles: [] })
  }

  /** @throws StoreError `invalidAuthMgmt` (the root user while checks are on), `userNotFound` */
  deleteUser(batch: BackendBatch, name: string): void {
    if (this.isOn && name === rootName) throw new StoreError('invalidAuthMgmt', { user: name })
    this.getUser(name)
    this.users.delete(name)
    batch.remove('authUsers', encodeName(name))
    this.noteChange(batch)
  }

  /** A user without a password stays without one. @throws StoreError `userNotFound` */
  changePassword(batch: BackendBatch, name: string, passwordHash: Uint8Array): void {
    const user = this.getUser(name)
    this.putUser(batch, user.hasNoPassword ? user : { ...user, passwordHash })
  }

  /** Does nothing when it is granted already. @throws StoreError `userNotFound`, `roleNotFound` */
  grantRole(batch: BackendBatch, name: string, role: string): void {
    const user = this.getUser(name)
    if (role !== rootName && !this.roles.has(role)) throw new StoreError('roleNotFound', { role })
    if (user.roles.includes(role)) return
    this.putUser(batch, { ...user, roles: [...user.roles, role].sort(compareNames) })
  }

  /** @throws StoreError `invalidAuthMgmt` (root's own role while checks are on), `userNotFound`, `roleNotGranted` */
  revokeRole(batch: BackendBatch, name: string, role: string): void {
    if (this.isOn && name === rootName && role === rootName) {
      throw new StoreError('invalidAuthMgmt', { user: name, role })
    }
    const user = this.getUser(name)
    if (!user.roles.includes(role)) throw new StoreError('roleNotGranted', { user: name, role })
    this.putUser(batch, { ...user, roles: user.roles.filter((granted) => granted !== role) })
  }

  /** @throws StoreError `roleEmpty`, `roleAlreadyExist` */
  addRole(batch: BackendBatch, name: string): void {
    if (name === '') throw new StoreError('roleEmpty')
    if (this.roles.has(name)) throw new StoreError('roleAlreadyExist', { role: name })
    this.putRole(batch, { name, permissions: [] })
  }

  /** Takes the role from all users as well. @throws StoreError `invalidAuthMgmt`, `roleNotFound` */
  deleteRole(batch: BackendBatch, name: string): void {
    if (this.isOn && name === rootName) throw new StoreError('invalidAuthMgmt', { role: name })
    if (!this.roles.has(name)) throw new StoreError('roleNotFound', { role: name })
    this.roles.delete(name)
    batch.remove('authRoles', encodeName(name))
    for (const user of [...this.users.values()]) {
      if (!user.roles.includes(name)) continue
      this.storeUser(batch, { ...user, roles: user.roles.filter((granted) => granted !== name) })
    }
    this.noteChange(batch)
  }

  /** Replaces the type where the same range was granted before. @throws StoreError `invalidAuthMgmt`, `roleNotFound` */
  grantPermission(batch: BackendBatch, name: string, permission: Permission): void {
    if (!isValidPermission(permission)) throw new StoreError('invalidAuthMgmt', { role: name })
    const role = this.roles.get(name)
    if (role === undefined) throw new StoreError('roleNotFound', { role: name })
    const permissions = [...role.permissions]
    const index = permissions.findIndex((held) => comparePermissions(held, permission) === 0)
    if (index === -1) permissions.push(permission)
    else permissions[index] = permission
    // By key alone, and stable: with equal keys what was granted first comes first, as etcd lists it.
    permissions.sort((left, right) => compareBytes(left.key, right.key))
    this.putRole(batch, { name, permissions })
  }

  /** @throws StoreError `roleNotFound`, `permissionNotGranted` (the range must be the granted one exactly) */
  revokePermission(
    batch: BackendBatch,
    name: string,
    range: Pick<Permission, 'key' | 'rangeEnd'>,
  ): void {
    const role = this.roles.get(name)
    if (role === undefined) throw new StoreError('roleNotFound', { role: name })
    const permissions = role.permissions.filter(
      (held) => comparePermissions(held, { ...range, type: held.type }) !== 0,
    )
    if (permissions.length === role.permissions.length) {
      throw new StoreError('permissionNotGranted', { role: name })
    }
    this.putRole(batch, { name, permissions })
  }

  /**
   * Whether one range may be read or written. Allows everything while the checks are off.
   * @throws StoreError `userEmpty`, `authOldRevision`, `permissionDenied`
   */
  checkRange(
    info: AuthInfo,
    access: AccessKind,
    range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array },
  ): void {
    if (!this.isOn) return
    const user = this.checkUser(info)
    if (user.roles.includes(rootName)) return
    if (this.accessOf(user)[access].covers(range.key, range.rangeEnd)) return
    throw new StoreError('permissionDenied', { user: info.username })
  }

  /**
   * That somebody asks, under the present rules.
   * @throws StoreError `userEmpty`, `authOldRevision`, `permissionDenied` (the user has gone)
   */
  checkUser(info: AuthInfo): User {
    if (info.revision === 0) throw new StoreError('userEmpty')
    if (info.revision < this.authRevision) throw new StoreError('authOldRevision')
    const user = this.users.get(info.username)
    if (user === undefined) throw new StoreError('permissionDenied', { user: info.username })
    return user
  }

  /** For calls that only root may make. @throws StoreError `userEmpty`, `userNotFound`, `permissionDenied` */
  checkRoot(info: AuthInfo): void {
    if (!this.isOn) return
    if (info.username === '') throw new StoreError('userEmpty')
    if (!this.getUser(info.username).roles.includes(rootName)) {
      throw new StoreError('permissionDenied', { user: info.username })
    }
  }

  hasRootRole(username: string): boolean {
    return this.users.get(username)?.roles.includes(rootName) ?? false
  }

  private accessOf(user: User): Access {
    const known = this.accessByUser.get(user.name)
    if (known !== undefined) return known
    const permissions = user.roles.flatMap((role) => this.roles.get(role)?.permissions ?? [])
    const rangesFor = (access: AccessKind): CoveredRanges =>
      new CoveredRanges(permissions.filter((permission) => allows(permission, access)))
    const access: Access = { read: rangesFor('read'), write: rangesFor('write') }
    this.accessByUser.set(user.name, access)
    return access
  }

  private setEnabled(batch: BackendBatch, isEnabled: boolean): void {
    this.isOn = isEnabled
    batch.put('auth', authKeys.enabled, Uint8Array.of(isEnabled ? 1 : 0))
  }

  private putUser(batch: BackendBatch, user: User): void {
    this.storeUser(batch, user)
    this.noteChange(batch)
  }

  private storeUser(batch: BackendBatch, user: User): void {
    this.users.set(user.name, user)
    batch.put('authUsers', encodeName(user.name), encodeUser(user))
  }

  private putRole(batch: BackendBatch, role: Role): void {
    this.roles.set(role.name, role)
    batch.put('authRoles', encodeName(role.name), encodeRole(role))
    this.noteChange(batch)
  }

  private noteChange(batch: BackendBatch): void {
    this.authRevision++
    this.accessByUser.clear()
    batch.put('auth', authKeys.revision, encodeUint64(this.authRevision))
  }

  private load(bucket: string, record: { readonly key: Uint8Array; readonly name: string }): void {
    if (new TextDecoder().decode(record.key) === record.name) return
    throw new StorageFault('a user or role is stored under the name of another', {
      path: `bucket ${bucket}`,
    })
  }
}
