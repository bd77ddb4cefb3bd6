/**
 * What a client may do how often, and for how long it may let the server wait.
 *
 * Timers are set only while something is waited for, and one covers many frames, so that an orderly client costs none.
 */
import type { Clock, Timer } from '../../base/clock.ts'
import { ConnectionError, errorCodes } from './http2-error.ts'
import { RateLimit } from './rate-limit.ts'

/** What the guard asks of its connection, and what it tells it. */
export interface GuardedConnection {
  /** The handshake, a frame or a header block has begun and not ended. */
  isIncomplete(): boolean
  /** The client does not take what it is sent. */
  isStalled(): boolean
  /** Bytes that have left so far. */
  sentBytes(): number
  /** Ask the client for a sign of life. */
  ping(): void
  /** Disconnect the client. */
  give(reason: string): void
}

/** How a silent client is found to be gone. */
export interface KeepaliveOptions {
  /** A client that was silent for this long, or up to twice as long, is pinged; 0: never. */
  readonly intervalMs: number
  /** Wait for the answer. */
  readonly timeoutMs: number
}

/** Longest wait for the rest of a handshake, frame or header block. */
const incompleteMsMax = 10_000
/** Longest time in which a client takes nothing of an answer that is complete. */
const stallMsMax = 120_000
const timerMsMax = 0x7fff_ffff
/**
 * Streams a client resets, or sends wrongly. CVE-2023-44487 needs ten thousands a second; a client whose thousand calls a
 * second all run into their deadline, as while there is no leader, is no attacker.
 */
const resetLimit = { burst: 5_000, perSecond: 1_500 }
/** Frames that ask for nothing: settings, priorities, empty data. */
const idleFrameLimit = { burst: 1_000, perSecond: 100 }

/** The limits of one connection. */
export class ConnectionGuard {
  private readonly clock: Clock
  private readonly connection: GuardedConnection
  private readonly resets: RateLimit
  private readonly idleFrames: RateLimit
  private frameCount = 0
  private progressTimer: Timer | undefined
  private stallTimer: Timer | undefined
  private silenceTimer: Timer | undefined

  constructor(clock: Clock, connection: GuardedConnection) {
    this.clock = clock
    this.connection = connection
    this.resets = new RateLimit(clock, resetLimit)
    this.idleFrames = new RateLimit(clock, idleFrameLimit)
  }

  /** A whole frame has arrived. */
  noteFrame(): void {
    this.frameCount++
  }

  /** @throws ConnectionError  too many */
  noteReset(): void {
    if (!this.resets.accept()) {
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'too many streams reset')
    }
  }

  /** @throws ConnectionError  too many */
  noteIdleFrame(): void {
    if (!this.idleFrames.accept()) {
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'too many frames without content')
    }
  }

  /** Something has begun that the client must complete in time. */
  watchProgress(): void {
    if (this.progressTimer !== undefined) return
    const { frameCount } = this
    this.progressTimer = this.clock.setTimer(incompleteMsMax, () => {
      this.progressTimer = undefined
      if (!this.connection.isIncomplete()) return
      if (this.frameCount === frameCount) this.connection.give('incomplete frame')
      else this.watchProgress()
    })
  }

  /** Something waits for the client to take it. */
  watchStall(): void {
    if (this.stallTimer !== undefined) return
    const sentBytes = this.connection.sentBytes()
    this.stallTimer = this.clock.setTimer(stallMsMax, () => {
      this.stallTimer = undefined
      if (!this.connection.isStalled()) return
      if (this.connection.sentBytes() === sentBytes) this.connection.give('stalled')
      else this.watchStall()
    })
  }

  /** Finds out when the client is gone without having said so. */
  watchSilence(options: KeepaliveOptions): void {
    const { intervalMs, timeoutMs } = options
    // Node's timers hold 31 bits; a longer interval is as good as none.
    if (intervalMs <= 0 || intervalMs > timerMsMax) return
    const { frameCount } = this
    this.silenceTimer = this.clock.setTimer(intervalMs, () => {
      if (this.frameCount !== frameCount) {
        this.watchSilence(options)
        return
      }
      this.connection.ping()
      this.silenceTimer = this.clock.setTimer(Math.min(timeoutMs, timerMsMax), () => {
        if (this.frameCount === frameCount) this.connection.give('no answer to a ping')
        else this.watchSilence(options)
      })
    })
  }

  dispose(): void {
    this.silenceTimer?.cancel()
    this.progressTimer?.cancel()
    this.stallTimer?.cancel()
  }
}
