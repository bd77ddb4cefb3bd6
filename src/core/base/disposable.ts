/** Ownership of timers, streams and handles: what is opened in a place is closed by that place. */

/** Something that must be ended once. Disposing twice does nothing. */
export interface Disposable {
  dispose(): void
}

/** Collects what an owner opened and ends it in reverse order. */
export class Disposables implements Disposable {
  private readonly entries: (() => void)[] = []
  private isDisposed = false

  /** Takes over something to end later; ends it at once when this owner has ended already. */
  add(end: Disposable | (() => void)): void {
    const run =
      typeof end === 'function'
        ? end
        : (): void => {
            end.dispose()
          }
    if (this.isDisposed) run()
    else this.entries.push(run)
  }

  dispose(): void {
    this.isDisposed = true
    for (let run = this.entries.pop(); run !== undefined; run = this.entries.pop()) run()
  }
}
