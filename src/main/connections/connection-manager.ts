/** Every connection of the app, saved or open. Its one owner: what is opened here is closed here. */

import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import type { Random } from '../../core/base/random.ts'
import type {
  ConnectionEvent,
  ConnectionInfo,
  LogInRequest,
  OpenConnectionRequest,
  UnlockRequest,
} from '../../preload/contract/connection.ts'
import { HostError } from '../host-error.ts'
import { Connection, type ConnectionDescription } from './connection.ts'
import { ChosenFiles, readTlsFiles } from './tls-files.ts'
import type { ConnectionProfile } from './connection-profile.ts'
import type { ProfileStore } from './profile-store.ts'
import type { SecretStore } from './secret-store.ts'

/** Id of the connection to the local cluster; there is one at a time. */
export const playgroundConnectionId = 'playground'

export class ConnectionManager implements Disposable {
  private readonly environment: { readonly clock: Clock; readonly random: Random }
  /** Files that the user chose for connections to come. */
  readonly files = new ChosenFiles()
  private readonly profiles: ProfileStore
  private readonly secrets: SecretStore
  private readonly open = new Map<string, Connection>()
  private readonly listeners = new Set<(event: ConnectionEvent) => void>()
  private readonly closeListeners = new Map<string, Set<() => void>>()

  constructor(
    environment: { readonly clock: Clock; readonly random: Random },
    stores: { readonly profiles: ProfileStore; readonly secrets: SecretStore },
  ) {
    this.environment = environment
    this.profiles = stores.profiles
    this.secrets = stores.secrets
  }

  /** Open ones as they are, then saved ones that are closed. */
  list(): readonly ConnectionInfo[] {
    const closed = this.profiles.list().filter((profile) => !this.open.has(profile.id))
    return [
      ...[...this.open.values()].map((connection) => connection.info()),
      ...closed.map(closedInfo),
    ]
  }

  hasSaved(): boolean {
    return this.profiles.list().length > 0
  }

  /** @throws HostError `unknownConnection` when it is not open */
  get(id: string): Connection {
    const connection = this.open.get(id)
    if (connection === undefined) {
      throw new HostError('unknownConnection', 'This connection is not open')
    }
    return connection
  }

  find(id: string): Connection | undefined {
    return this.open.get(id)
  }

  /** Opens what the user typed. @throws HostError `file` when a certificate cannot be read */
  async openNew(request: OpenConnectionRequest): Promise<ConnectionInfo> {
    const { environment = 'none', login } = request
    if (environment === 'production' && request.tls?.isVerifySkipped === true) {
      throw new HostError('invalidRequest', 'Certificates of production clusters are checked')
    }
    const tls = request.tls === undefined ? undefined : this.files.profileOf(request.tls)
    const profile: ConnectionProfile = {
      id: randomUUID(),
      name: request.name ?? defaultName(request.endpoints),
      endpoints: [...request.endpoints],
      environment,
      // A production cluster is opened for reading until somebody decides otherwise.
      isReadOnly: environment === 'production',
      ...(login === undefined ? {} : { user: login.user }),
      ...(tls === undefined ? {} : { tls }),
    }
    const connection = await this.connectProfile(profile, {
      origin: request.isSaved ? 'saved' : 'launch',
      password: login?.password,
    })
    if (request.isSaved) {
      await this.profiles.put(profile)
      if (login?.isKept === true) await this.secrets.put(profile.id, login.password)
    }
    return connection.info()
  }

  /** Opens a saved one; an open one is returned as it is. @throws HostError `file` when a certificate cannot be read */
  async openSaved(id: string): Promise<ConnectionInfo> {
    const connection = this.open.get(id)
    if (connection !== undefined) return connection.info()
    const profile = this.profiles.find(id)
    if (profile === undefined) {
      throw new HostError('unknownConnection', 'This connection is not saved any more')
    }
    const password = this.secrets.find(id)
    return (await this.connectProfile(profile, { origin: 'saved', password })).info()
  }

  /** Another password for the user of an open connection. */
  async logIn(request: LogInRequest): Promise<void> {
    const { connectionId, password, isKept } = request
    this.get(connectionId).logIn(password)
    if (this.profiles.find(connectionId) === undefined) return
    if (isKept) await this.secrets.put(connectionId, password)
    else await this.secrets.remove(connectionId)
  }

  /** Opens the connection to the local cluster; an open one to other endpoints is closed first. */
  openPlayground(endpoints: readonly string[]): Connection {
    this.closeOpen(playgroundConnectionId)
    return this.connect({
      id: playgroundConnectionId,
      name: 'Playground',
      origin: 'playground',
      environment: 'none',
      isReadOnly: false,
      endpoints,
    })
  }

  close(id: string): void {
    if (!this.closeOpen(id)) return
    const profile = this.profiles.find(id)
    if (profile === undefined) this.notify({ kind: 'removed', connectionId: id })
    else this.notify({ kind: 'changed', connection: closedInfo(profile) })
  }

  async remove(id: string): Promise<void> {
    this.closeOpen(id)
    await this.profiles.remove(id)
    await this.secrets.remove(id)
    this.notify({ kind: 'removed', connectionId: id })
  }

  /** Refuses every write of a connection, also after the next start. */
  async lock(id: string): Promise<void> {
    this.get(id).lockWrites()
    await this.keepReadOnly(id, true)
  }

  /** Allows writes to who typed the connection's name. What ends by itself is not kept for the next start. */
  async unlock(request: UnlockRequest): Promise<void> {
    const { connectionId, name, forMinutes } = request
    this.get(connectionId).unlockWrites(name, forMinutes)
    if (forMinutes === undefined) await this.keepReadOnly(connectionId, false)
  }

  onEvent(listener: (event: ConnectionEvent) => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** Calls back once when the connection is closed, so that its streams end with it. */
  onceClosed(id: string, listener: () => void): () => void {
    const listeners = this.closeListeners.get(id) ?? new Set()
    this.closeListeners.set(id, listeners)
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  dispose(): void {
    for (const id of [...this.open.keys()]) this.closeOpen(id)
    this.listeners.clear()
  }

  private async connectProfile(
    profile: ConnectionProfile,
    how: { readonly origin: ConnectionInfo['origin']; readonly password: string | undefined },
  ): Promise<Connection> {
    const { id, name, endpoints, environment, isReadOnly, user } = profile
    const tls = profile.tls === undefined ? undefined : await readTlsFiles(profile.tls)
    // Somebody else may have opened it while the files were read.
    const open = this.open.get(id)
    if (open !== undefined) return open
    return this.connect({
      ...{ id, name, endpoints, environment, isReadOnly, origin: how.origin },
      ...(tls === undefined ? {} : { tls }),
      ...(user === undefined ? {} : { login: { user, password: how.password } }),
    })
  }

  private connect(description: ConnectionDescription): Connection {
    const connection = new Connection(this.environment, description, (info) => {
      this.notify({ kind: 'changed', connection: info })
    })
    this.open.set(description.id, connection)
    this.notify({ kind: 'changed', connection: connection.info() })
    return connection
  }

  private async keepReadOnly(id: string, isReadOnly: boolean): Promise<void> {
    const profile = this.profiles.find(id)
    if (profile !== undefined && profile.isReadOnly !== isReadOnly)
      await this.profiles.put({ ...profile, isReadOnly })
  }

  private closeOpen(id: string): boolean {
    const connection = this.open.get(id)
    if (connection === undefined) return false
    this.open.delete(id)
    const listeners = this.closeListeners.get(id)
    this.closeListeners.delete(id)
    for (const listener of listeners ?? []) listener()
    connection.dispose()
    return true
  }

  private notify(event: ConnectionEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}

function closedInfo(profile: ConnectionProfile): ConnectionInfo {
  return {
    id: profile.id,
    name: profile.name,
    origin: 'saved',
    environment: profile.environment,
    isReadOnly: profile.isReadOnly || profile.environment === 'production',
    ...(profile.user === undefined ? {} : { user: profile.user }),
    ...(profile.tls === undefined ? {} : { tls: { isVerifySkipped: profile.tls.isVerifySkipped } }),
    state: 'closed',
    endpoints: profile.endpoints.map((url) => ({ url, kind: 'unknown', isActive: false })),
    headRevision: 0,
  }
}

function defaultName(endpoints: readonly string[]): string {
  return (endpoints[0] ?? '').replace(/^https?:\/\//, '').replace(/\/$/, '')
}
