/**
 * One open connection: its client, and how it is.
 *
 * State comes from calls, not from sockets: every endpoint is asked for its status now and then, more often while
 * something is wrong, and a call that failed brings the next round forward.
 */

import type { Clock, Timer } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import type { Random } from '../../core/base/random.ts'
import { noNode, hexId } from '../../core/base/ids.ts'
import { Client } from '../../core/client/client.ts'
import type { ClientTlsOptions, Endpoint } from '../../core/client/endpoint.ts'
import type { MemberStatus } from '../../core/client/maintenance-client.ts'
import { reasonOf } from '../../core/client/retry-policy.ts'
import type {
  ConnectionInfo,
  ConnectionStateKind,
  EndpointState,
  Environment,
} from '../../preload/contract/connection.ts'
import { HostError } from '../host-error.ts'
import { RevisionTimes } from './revision-times.ts'
import { WriteLock } from './write-lock.ts'

const probeIntervalMs = 5_000
const probeIntervalInTroubleMs = 1_000
const probeTimeoutMs = 2_000
/** Several calls fail at once when an endpoint goes; one round of questions answers all of them. */
const probeSoonMs = 100
/** A new connection is not called failed before its servers had this long to come up. */
const connectPatienceMs = 5_000
/** A busy cluster has hundreds of new revisions a second, and every page draws what it is told of them. */
const headEveryMs = 250

export interface ConnectionDescription {
  readonly id: string
  readonly name: string
  readonly origin: ConnectionInfo['origin']
  readonly environment: Environment
  readonly isReadOnly: boolean
  readonly endpoints: readonly string[]
  readonly tls?: ClientTlsOptions
  /** The user to log in as; without a password the connection is blocked until one comes. */
  readonly login?: { readonly user: string; readonly password: string | undefined }
}

interface Judgement {
  readonly state: ConnectionStateKind
  readonly reason?: string
}

export class Connection implements Disposable {
  readonly description: ConnectionDescription
  readonly client: Client
  /** When revisions came to be, as far as answers told. */
  readonly times = new RevisionTimes()
  private readonly clock: Clock
  private readonly onChange: (info: ConnectionInfo) => void
  private readonly openedAtMs: number
  private readonly statuses = new Map<Endpoint, MemberStatus>()
  private readonly lock: WriteLock
  private clusterId = 0n
  private headRevision = 0
  private lastAnswerAtMs: number | undefined
  private probeTimer: Timer | undefined
  /** A newer head is told when this ends. */
  private headTimer: Timer | undefined
  private toldAtMs = Number.NEGATIVE_INFINITY
  private isProbing = false
  private needsPassword: boolean
  private isDisposed = false

  /** @throws StoreError `unreachable` when an endpoint is no address */
  constructor(
    environment: { readonly clock: Clock; readonly random: Random },
    description: ConnectionDescription,
    onChange: (info: ConnectionInfo) => void,
  ) {
    this.clock = environment.clock
    this.description = description
    this.lock = new WriteLock(this.clock, description, () => {
      this.notify()
    })
    this.onChange = onChange
    this.openedAtMs = this.clock.monotonicMs()
    const { login, tls, endpoints } = description
    this.needsPassword = login !== undefined && login.password === undefined
    this.client = new Client({
      ...environment,
      endpoints,
      ...(tls === undefined ? {} : { tls }),
      ...(login === undefined
        ? {}
        : { credentials: { user: login.user, password: login.password } }),
    })
    this.client.pool.onChange(() => {
      this.onPoolChange()
    })
    this.scheduleProbe(0)
  }

  info(): ConnectionInfo {
    const { id, name, origin, environment, login, tls } = this.description
    const judgement = this.judge()
    const writableUntilMs = this.lock.writableUntilMs()
    return {
      id,
      name,
      origin,
      environment,
      isReadOnly: this.lock.isReadOnly(),
      ...(writableUntilMs === undefined ? {} : { writableUntilMs }),
      ...(login === undefined ? {} : { user: login.user }),
      ...(tls === undefined ? {} : { tls: { isVerifySkipped: tls.isVerifySkipped === true } }),
      ...judgement,
      endpoints: this.client.pool.health().map((health): EndpointState => {
        const isWaiting = health.kind === 'unknown' || judgement.state === 'connecting'
        return {
          ...health,
          kind: isWaiting && health.kind !== 'ready' ? 'connecting' : health.kind,
        }
      }),
      ...(this.clusterId === 0n ? {} : { clusterId: this.clusterId }),
      headRevision: this.headRevision,
      ...(this.lastAnswerAtMs === undefined ? {} : { lastAnswerAtMs: this.lastAnswerAtMs }),
    }
  }

  /** Refuses writes from now on. */
  lockWrites(): void {
    this.lock.lock()
  }

  /** Allows writes to who knows the connection's name. @throws HostError `invalidRequest` */
  unlockWrites(name: string, forMinutes: number | undefined): void {
    this.lock.unlock(name, forMinutes)
  }

  /** Refuses the write of a connection that is for reading. Every write passes here. */
  assertWritable(): void {
    this.lock.assertWritable()
  }

  /** Notes what an answer told about the cluster's newest revision. */
  noteRevision(revision: number): void {
    this.lastAnswerAtMs = this.clock.wallMs()
    this.times.note(revision, this.lastAnswerAtMs)
    if (revision <= this.headRevision) return
    this.headRevision = revision
    if (this.isDisposed || this.headTimer !== undefined) return
    const restMs = this.toldAtMs + headEveryMs - this.clock.monotonicMs()
    if (restMs <= 0) this.notify()
    else {
      this.headTimer = this.clock.setTimer(restMs, () => {
        this.notify()
      })
    }
  }

  /** Notes changes that arrived as they were made. */
  noteLive(revisions: Iterable<number>): void {
    const atMs = this.clock.wallMs()
    for (const revision of revisions) this.times.noteLive(revision, atMs)
  }

  /** What the members that answered last are; empty before any did. */
  serverVersions(): readonly string[] {
    return [...this.statuses.values()].map(({ version }) => version)
  }

  /** Another password for this connection's user; the next probe tries it. */
  logIn(password: string): void {
    const { login } = this.client
    if (login === undefined) {
      throw new HostError('invalidRequest', 'This connection has no user')
    }
    login.change({ user: login.user, password })
    this.needsPassword = false
    this.notify()
    this.scheduleProbe(0)
  }

  /** Something outside suggests that the state has changed: a local node started or ended. */
  probeSoon(): void {
    this.scheduleProbe(probeSoonMs)
  }

  dispose(): void {
    this.isDisposed = true
    this.probeTimer?.cancel()
    this.headTimer?.cancel()
    this.lock.dispose()
    this.client.dispose()
  }

  private onPoolChange(): void {
    this.notify()
    if (this.judge().state !== 'ready') this.scheduleProbe(probeSoonMs)
  }

  private scheduleProbe(delayMs: number): void {
    // Without a password every question would be a refused login.
    if (this.isDisposed || this.isProbing || this.needsPassword) return
    this.probeTimer?.cancel()
    this.probeTimer = this.clock.setTimer(delayMs, () => {
      void this.probe()
    })
  }

  /** Asks every endpoint; none of the calls rejects. */
  private async probe(): Promise<void> {
    this.isProbing = true
    const { pool, maintenance } = this.client
    await Promise.all(
      pool.endpoints.map(async (endpoint) => {
        const result = await maintenance.status(endpoint, { timeoutMs: probeTimeoutMs })
        if (this.isDisposed) return
        if (result.ok) {
          this.noteStatus(endpoint, result.status)
          pool.markReady(endpoint, result.latencyMs)
        } else {
          this.statuses.delete(endpoint)
          pool.markFailed(endpoint, reasonOf(result.failure))
        }
      }),
    )
    this.isProbing = false
    if (this.isDisposed) return
    this.notify()
    const isCalm = ['ready', 'blocked'].includes(this.judge().state)
    this.scheduleProbe(isCalm ? probeIntervalMs : probeIntervalInTroubleMs)
  }

  private noteStatus(endpoint: Endpoint, status: MemberStatus): void {
    this.statuses.set(endpoint, status)
    if (this.clusterId === 0n) this.clusterId = status.header.clusterId
    this.noteRevision(status.header.revision)
  }

  private judge(): Judgement {
    if (this.needsPassword) return { state: 'blocked', reason: 'Its password is not known' }
    const refusal = this.client.login?.refusal
    if (refusal !== undefined) return { state: 'blocked', reason: reasonOf(refusal) }
    const health = this.client.pool.health()
    const ready = health.filter((entry) => entry.kind === 'ready')
    if (ready.length === 0) return this.judgeSilence(health)
    const statuses = [...this.statuses.values()]
    const stranger = statuses.find((status) => status.header.clusterId !== this.clusterId)
    if (stranger !== undefined) {
      return {
        state: 'failed',
        reason: `Two clusters answer: ${hexId(this.clusterId)} and ${hexId(stranger.header.clusterId)}`,
      }
    }
    if (statuses.length > 0 && statuses.every((status) => status.leaderId === noNode)) {
      return { state: 'failed', reason: 'The cluster has no leader' }
    }
    const silentCount = health.length - ready.length
    if (silentCount > 0 && health.every((entry) => entry.kind !== 'unknown')) {
      return {
        state: 'degraded',
        reason: `${String(silentCount)} of ${String(health.length)} endpoints do not answer`,
      }
    }
    const complaint = statuses.flatMap((status) => status.errors)[0]
    if (complaint !== undefined) return { state: 'degraded', reason: complaint }
    return { state: 'ready' }
  }

  private judgeSilence(health: readonly { readonly reason?: string }[]): Judgement {
    const isNew = this.lastAnswerAtMs === undefined
    const ageMs = this.clock.monotonicMs() - this.openedAtMs
    if (isNew && ageMs < connectPatienceMs) return { state: 'connecting' }
    const reason = health.find((entry) => entry.reason !== undefined)?.reason
    return {
      state: 'failed',
      reason: `No endpoint answers${reason === undefined ? '' : `: ${reason}`}`,
    }
  }

  private notify(): void {
    if (this.isDisposed) return
    this.headTimer?.cancel()
    this.headTimer = undefined
    this.toldAtMs = this.clock.monotonicMs()
    this.onChange(this.info())
  }
}
