/**
 * Takes the outcome of something that was asked for.
 *
 * What a promise is to a caller with time, this is to the path that every request takes: the object that waits is the one
 * that is told, in the turn in which the outcome is known, and nothing else is made for it.
 */
export interface Settler<Result> {
  /** Exactly one of the two is called, once; perhaps before the call that asked has returned. Must not throw. */
  succeed(result: Result): void
  fail(error: unknown): void
}

/** The same as a promise: calls `ask` with a settler at once. */
export function settled<Result>(ask: (settler: Settler<Result>) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    ask({ succeed: resolve, fail: reject })
  })
}
