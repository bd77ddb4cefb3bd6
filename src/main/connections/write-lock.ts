/**
 * Whether a connection may be written to.
 *
 * A locked one is opened by who types its name, for some minutes; then it locks by itself. Two clocks agree on the end: a
 * timer, which a clock that was set cannot delay, and the time of day, which goes on while the computer sleeps.
 */

import type { Clock, Timer } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import type { Environment } from '../../preload/contract/connection.ts'
import { HostError } from '../host-error.ts'

const minuteMs = 60_000

export interface WriteLockSubject {
  readonly name: string
  readonly environment: Environment
  readonly isReadOnly: boolean
}

/** The lock of one connection. Invariant: an end of writing is set only while it is open. */
export class WriteLock implements Disposable {
  private readonly clock: Clock
  private readonly subject: WriteLockSubject
  private readonly onChange: () => void
  private isLocked: boolean
  private endsAtMs: number | undefined
  private timer: Timer | undefined

  /** A cluster in production begins locked, whatever was saved. */
  constructor(clock: Clock, subject: WriteLockSubject, onChange: () => void) {
    this.clock = clock
    this.subject = subject
    this.onChange = onChange
    this.isLocked = subject.isReadOnly || subject.environment === 'production'
  }

  isReadOnly(): boolean {
    return this.isLocked || this.isOver()
  }

  /** Wall time in milliseconds at which it locks by itself; undefined: it is locked, or stays open. */
  writableUntilMs(): number | undefined {
    return this.isReadOnly() ? undefined : this.endsAtMs
  }

  /**
   * Allows writing.
   *
   * @param name        as the user typed it
   * @param forMinutes  undefined: until it is locked again, which is not for production
   * @throws HostError  `invalidRequest` when the name is another one, or no end is named for production
   */
  unlock(name: string, forMinutes: number | undefined): void {
    if (name !== this.subject.name) {
      throw new HostError('invalidRequest', `The connection is named "${this.subject.name}"`)
    }
    if (forMinutes === undefined && this.subject.environment === 'production') {
      throw new HostError('invalidRequest', 'Writing to production is allowed for a limited time')
    }
    this.end()
    this.isLocked = false
    if (forMinutes !== undefined) {
      this.endsAtMs = this.clock.wallMs() + forMinutes * minuteMs
      this.timer = this.clock.setTimer(forMinutes * minuteMs, () => {
        this.lock()
      })
    }
    this.onChange()
  }

  lock(): void {
    this.end()
    this.isLocked = true
    this.onChange()
  }

  /** Refuses a write of a locked connection. @throws HostError `readOnly` */
  assertWritable(): void {
    if (this.isOver()) this.lock()
    if (!this.isLocked) return
    throw new HostError('readOnly', `The connection "${this.subject.name}" is read-only`)
  }

  dispose(): void {
    this.end()
  }

  private isOver(): boolean {
    return this.endsAtMs !== undefined && this.clock.wallMs() >= this.endsAtMs
  }

  private end(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.endsAtMs = undefined
  }
}
