/**
 * Whether a sync may hold up the thread that asks for it.
 *
 * The problem: a sync on another thread costs two wake-ups beside the sync itself, 0.1 ms together, which on a fast disk
 * is as long again; but a sync on this thread keeps every other request waiting, and a heartbeat too when the disk stalls.
 * The plain idea: hold up the thread only while syncs are known to be brief and the thread has little else to do. One that
 * took long ends that at once, and for a while. A single stall can so still hold up the thread; its heartbeats too,
 * which is no more than a leader should expect whose log does not move.
 */

/** Average above which a sync is left to another thread. */
const briefMsMax = 1
/**
 * What one sync counts at most: one that had to wait for other writes, as for the database's ten times a second, says little
 * of the next, and must not send the brief ones after it to another thread.
 */
const countedMsMax = 2
/** One sync this long shows a disk that stalls. */
const stallMs = 20
/** How long a disk that stalled is not trusted. */
const distrustMs = 250
/** How often the thread's load is looked at. */
const windowMs = 20
/**
 * Of its time the thread must have waited so much, for input or for a sync. Where clients wait for their puts and nobody
 * else asks, syncs held up here serve up to 1.4 times as many puts as syncs elsewhere; where reads keep the thread busy, puts
 * get through to it only as far as reads leave time.
 */
const waitingShareMin = 0.15
/** Weight of the newest sync in the average. */
const averageWeight = 1 / 8

/** Where the time comes from. */
export interface SyncPaceSources {
  readonly monotonicMs: () => number
  /** How long the thread has waited for input, ever. */
  readonly idleMs: () => number
}

/** The syncs of one process. */
export class SyncPace {
  private readonly sources: SyncPaceSources
  private averageMs = 0
  private trustedFromMs = Number.NEGATIVE_INFINITY
  private windowStartMs: number
  private idleAtStartMs: number
  private blockedMs = 0
  private isThreadFree = false

  constructor(sources: SyncPaceSources) {
    this.sources = sources
    this.windowStartMs = sources.monotonicMs()
    this.idleAtStartMs = sources.idleMs()
  }

  /** Whether the next sync may be made on this thread. */
  mayBlock(): boolean {
    const nowMs = this.sources.monotonicMs()
    if (nowMs - this.windowStartMs >= windowMs) this.lookAtLoad(nowMs)
    return this.isThreadFree && this.averageMs <= briefMsMax && nowMs >= this.trustedFromMs
  }

  /** A sync ended just now. */
  note(sync: { readonly tookMs: number; readonly hasBlocked: boolean }): void {
    if (sync.hasBlocked) this.blockedMs += sync.tookMs
    if (sync.tookMs >= stallMs) this.trustedFromMs = this.sources.monotonicMs() + distrustMs
    // A stall says nothing of the syncs after it, once it is over.
    else {
      const countedMs = Math.min(sync.tookMs, countedMsMax)
      this.averageMs += (countedMs - this.averageMs) * averageWeight
    }
  }

  private lookAtLoad(nowMs: number): void {
    const idleMs = this.sources.idleMs()
    const waitedMs = idleMs - this.idleAtStartMs + this.blockedMs
    this.isThreadFree = waitedMs >= waitingShareMin * (nowMs - this.windowStartMs)
    this.windowStartMs = nowMs
    this.idleAtStartMs = idleMs
    this.blockedMs = 0
  }
}
