/**
 * All endpoints of a cluster, and which of them serves.
 *
 * One endpoint is active and takes every call until a call or a probe to it fails; then the next one that is not known to
 * be down takes over. Staying with one makes what a user sees consistent, and its name can be shown. An endpoint that
 * failed is left alone for a moment, unless no other is left.
 */

import type { Clock } from '../base/clock.ts'
import type { Disposable } from '../base/disposable.ts'
import { assert } from '../base/assert.ts'
import { Endpoint, type EndpointSecurity } from './endpoint.ts'

/** How an endpoint was at its last call or probe. */
export interface EndpointHealth {
  readonly url: string
  readonly kind: 'unknown' | 'ready' | 'failed'
  readonly isActive: boolean
  readonly reason?: string
  readonly latencyMs?: number
}

interface Entry {
  readonly endpoint: Endpoint
  kind: EndpointHealth['kind']
  reason: string | undefined
  latencyMs: number | undefined
  failedAtMs: number
}

/** A node that was restarted listens again within about this time. */
const failedPauseMs = 2_000

export class EndpointPool implements Disposable {
  private readonly clock: Clock
  private readonly entries: readonly Entry[]
  private readonly listeners = new Set<() => void>()
  private activePosition = 0

  /** @throws StoreError `unreachable` when an endpoint is no address, or TLS cannot be had as asked for */
  constructor(clock: Clock, urls: readonly string[], security: EndpointSecurity = {}) {
    assert(urls.length > 0, 'a connection has at least one endpoint')
    this.clock = clock
    this.entries = urls.map((url) => ({
      endpoint: new Endpoint(url, security),
      kind: 'unknown',
      reason: undefined,
      latencyMs: undefined,
      failedAtMs: 0,
    }))
  }

  /** All endpoints in the order in which they were given. */
  get endpoints(): readonly Endpoint[] {
    return this.entries.map((entry) => entry.endpoint)
  }

  /** The endpoint that should take the next call. */
  active(): Endpoint {
    const entry = this.entries[this.activePosition]
    assert(entry !== undefined, 'the active position lies inside of the list')
    return entry.endpoint
  }

  health(): readonly EndpointHealth[] {
    return this.entries.map((entry, position) => ({
      url: entry.endpoint.url,
      kind: entry.kind,
      isActive: position === this.activePosition,
      ...(entry.reason === undefined ? {} : { reason: entry.reason }),
      ...(entry.latencyMs === undefined ? {} : { latencyMs: entry.latencyMs }),
    }))
  }

  /** Notes that an endpoint answered; with the latency where the call was a light one. */
  markReady(endpoint: Endpoint, latencyMs?: number): void {
    const entry = this.entryOf(endpoint)
    const hasChanged = entry.kind !== 'ready'
    entry.kind = 'ready'
    entry.reason = undefined
    if (latencyMs !== undefined) entry.latencyMs = latencyMs
    const activeEntry = this.entries[this.activePosition]
    if (activeEntry?.kind === 'failed') this.activePosition = this.entries.indexOf(entry)
    if (hasChanged || latencyMs !== undefined) this.notify()
  }

  /** Notes that an endpoint does not answer, and lets another take over if it was the active one. */
  markFailed(endpoint: Endpoint, reason: string): void {
    const entry = this.entryOf(endpoint)
    entry.kind = 'failed'
    entry.reason = reason
    entry.failedAtMs = this.clock.monotonicMs()
    if (this.entries[this.activePosition] === entry) this.moveOn()
    this.notify()
  }

  /** Lets another endpoint take the next call, although this one answers: it has no leader, or another trouble. */
  moveOnFrom(endpoint: Endpoint): void {
    if (this.active() !== endpoint) return
    this.moveOn()
    this.notify()
  }

  /** Calls the listener after every change; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  dispose(): void {
    this.listeners.clear()
    for (const entry of this.entries) entry.endpoint.dispose()
  }

  /** The next one that is ready, else one that is unknown, else the one that failed longest ago. */
  private moveOn(): void {
    const nowMs = this.clock.monotonicMs()
    const rank = (entry: Entry): number => {
      if (entry.kind === 'ready') return 0
      if (entry.kind === 'unknown') return 1
      return nowMs - entry.failedAtMs > failedPauseMs ? 2 : 3
    }
    let best = this.activePosition
    let bestRank = Number.POSITIVE_INFINITY
    for (let step = 1; step <= this.entries.length; step++) {
      const position = (this.activePosition + step) % this.entries.length
      const entry = this.entries[position]
      if (entry === undefined || rank(entry) >= bestRank) continue
      best = position
      bestRank = rank(entry)
    }
    this.activePosition = best
  }

  private entryOf(endpoint: Endpoint): Entry {
    const entry = this.entries.find((candidate) => candidate.endpoint === endpoint)
    assert(entry !== undefined, 'an endpoint is judged by the pool that owns it')
    return entry
  }

  private notify(): void {
    for (const listener of this.listeners) listener()
  }
}
