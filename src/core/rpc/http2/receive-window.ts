/** How much a client may send before it must wait. @see RFC 9113, section 5.2 */

/** The window of a stream or of the connection. What was read is given back when it is half of the whole. */
export class ReceiveWindow {
  private readonly sizeBytesMax: number
  private openBytes: number
  private consumedBytes = 0

  constructor(sizeBytesMax: number) {
    this.sizeBytesMax = sizeBytesMax
    this.openBytes = sizeBytesMax
  }

  /** Bytes have arrived. @returns false when they were more than allowed */
  take(sizeBytes: number): boolean {
    this.openBytes -= sizeBytes
    return this.openBytes >= 0
  }

  /** Bytes have been read. @returns the increment to tell the client; 0: none yet */
  consume(sizeBytes: number): number {
    this.consumedBytes += sizeBytes
    if (this.consumedBytes * 2 < this.sizeBytesMax) return 0
    const incrementBytes = this.consumedBytes
    this.openBytes += incrementBytes
    this.consumedBytes = 0
    return incrementBytes
  }
}
