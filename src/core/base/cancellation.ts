/**
 * Ending a wait from outside, at no cost for the many waits that nobody ends.
 *
 * The platform's `AbortSignal` is an event target: making one, adding a listener and removing it costs more than many a
 * request. Here whatever may be cancelled, a call for instance, says so itself, and holds one listener in a field.
 */

/** Told that a wait is over. */
export interface CancelListener {
  /** Called once at most, in the turn in which it happens. */
  canceled(): void
}

/** Whether somebody still waits. Serves one wait at a time. */
export interface Cancellation {
  readonly isCanceled: boolean
  /** Sets the one listener in place of the one before; undefined: nobody has to be told any more. */
  setCancelListener(listener: CancelListener | undefined): void
}

/** A cancellation that its owner causes. */
export class CancelSource implements Cancellation {
  private hasBeenCanceled = false
  private listener: CancelListener | undefined

  get isCanceled(): boolean {
    return this.hasBeenCanceled
  }

  setCancelListener(listener: CancelListener | undefined): void {
    this.listener = listener
  }

  /** Ends the wait. Doing it twice does nothing. */
  cancel(): void {
    if (this.hasBeenCanceled) return
    this.hasBeenCanceled = true
    const { listener } = this
    this.listener = undefined
    listener?.canceled()
  }
}
