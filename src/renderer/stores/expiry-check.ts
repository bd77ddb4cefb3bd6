/**
 * Tells deletes that came with the end of a lease from those of a client, as far as that can be told: a server sends both the
 * same way. If the lease that a key had is gone right after, the key went with it, by running out or by being revoked.
 */

import { leaseApi } from '../api/lease-api.ts'
import { CallError } from '../api/bridge.ts'
import type { WatchLog } from './watch-log.ts'

/** Deletes that come together are looked at together. */
const waitMs = 300
/** More deletes than this in one wait are left as they are: nobody reads them one by one. */
const pendingMax = 5_000

export class ExpiryCheck {
  private readonly connectionId: string
  private readonly log: WatchLog
  private readonly onFound: () => void
  private pending: number[] = []
  private timer: ReturnType<typeof setTimeout> | undefined

  /** @param onFound  called when rows were found to have expired */
  constructor(connectionId: string, log: WatchLog, onFound: () => void) {
    this.connectionId = connectionId
    this.log = log
    this.onFound = onFound
  }

  /** Looks at new rows that are not history. */
  take(ids: readonly number[]): void {
    for (const id of ids) {
      if (this.log.opOf(id) !== 'delete' || this.pending.length >= pendingMax) continue
      if ((this.log.rowOf(id)?.lease ?? 0n) !== 0n) this.pending.push(id)
    }
    if (this.pending.length === 0) return
    this.timer ??= setTimeout(() => void this.look(), waitMs)
  }

  dispose(): void {
    clearTimeout(this.timer)
    this.pending = []
  }

  private async look(): Promise<void> {
    const ids = this.pending
    this.pending = []
    this.timer = undefined
    try {
      const alive = new Set(await leaseApi.list(this.connectionId))
      let isFound = false
      for (const id of ids) {
        const lease = this.log.rowOf(id)?.lease
        if (lease === undefined || alive.has(lease)) continue
        this.log.markExpired(id)
        isFound = true
      }
      if (isFound) this.onFound()
    } catch (failure) {
      // Not permitted, or nobody answers: what is not known is not said, and the rows stay deletes.
      if (!(failure instanceof CallError)) throw failure
    }
  }
}
