/**
 * Assertions: statements about our own code that must hold.
 *
 * What a user, a peer or a disk sent is never asserted on; that is validation and ends in a `StoreError` or a
 * `StorageFault`.
 */

/** A bug in this program. Nobody catches it; the process logs its state and ends. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation'
}

/** Throws {@link InvariantViolation} unless `condition` holds. Stays on in production, so the condition must be cheap. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantViolation(message)
}

/** Ends a `switch` over a union: a member that was forgotten does not compile. */
export function assertNever(value: never, what = 'case'): never {
  throw new InvariantViolation(`unexpected ${what}: ${String(value)}`)
}

let isVerifying = false

/** Switches {@link verify} on or off for this thread; tests and simulation switch it on. */
export function setVerifying(isOn: boolean): void {
  isVerifying = isOn
}

/** A costly assertion, evaluated only where verification was switched on. */
export function verify(check: () => boolean, message: string): void {
  if (isVerifying && !check()) throw new InvariantViolation(message)
}
