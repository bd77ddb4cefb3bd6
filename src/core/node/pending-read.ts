/** A read that waits for its confirmation, and is served in the turn in which that comes. */
import type { Settler } from '../base/settler.ts'

/** A read that is served once it is confirmed. */
export class PendingRead<Result> implements Settler<void> {
  private readonly read: () => Result
  private readonly settler: Settler<Result>

  /** @param read  called once; what it throws is the outcome */
  constructor(read: () => Result, settler: Settler<Result>) {
    this.read = read
    this.settler = settler
  }

  succeed(): void {
    let result: Result
    try {
      result = this.read()
    } catch (error) {
      this.settler.fail(error)
      return
    }
    this.settler.succeed(result)
  }

  fail(error: unknown): void {
    this.settler.fail(error)
  }
}
