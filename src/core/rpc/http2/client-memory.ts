/** What one client makes the server remember, counted and limited. */

/** Answers that wait in memory. Above it the client has stopped reading what it asks for. */
const queuedBytesMax = 268_435_456
/**
 * Requests that have begun and not ended. A hundred of the usual largest size, all half-way, come nowhere near; and to wait
 * instead of giving up could be forever, since each might need room for its rest.
 */
const keptBytesMax = 268_435_456

/** The counters of one connection. */
export class ClientMemory {
  private readonly give: (reason: string) => void
  private queuedBytes = 0
  private keptBytes = 0

  /** @param give  disconnects the client */
  constructor(give: (reason: string) => void) {
    this.give = give
  }

  /** Bytes of answers that wait, and memory that incomplete requests hold. */
  get heldBytes(): number {
    return this.queuedBytes + this.keptBytes
  }

  noteQueued(differenceBytes: number): void {
    this.queuedBytes += differenceBytes
    if (this.queuedBytes > queuedBytesMax) this.give('too many unread answers')
  }

  noteKept(differenceBytes: number): void {
    this.keptBytes += differenceBytes
    if (this.keptBytes > keptBytesMax) this.give('too many incomplete requests')
  }
}
