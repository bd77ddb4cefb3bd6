/**
 * Received bytes that have to wait.
 *
 * A chunk from the socket is shared by everything that came in it: whoever keeps one byte of it keeps all, and many small
 * pieces cost many times their size. So what waits is copied into one block of its own, and its memory follows its size.
 */

const noBytes = Buffer.alloc(0)
const blockSizeBytesMin = 64

/** Bytes in the order in which they came. What was taken out is never written to again. */
export class WaitingBytes {
  private block = noBytes
  private start = 0
  private end = 0

  /** Bytes that wait. */
  get sizeBytes(): number {
    return this.end - this.start
  }

  /** Memory held for them; a little more than twice {@link sizeBytes} at most, while nothing has been taken. */
  get memoryBytes(): number {
    return this.block.length
  }

  /** What waits, where it lies; valid until the next call. */
  view(): Buffer {
    return this.block.subarray(this.start, this.end)
  }

  /** @param expectedBytes  how many are expected together; no more memory than for these is taken in advance */
  append(bytes: Uint8Array, expectedBytes = Number.POSITIVE_INFINITY): void {
    const sizeBytes = this.sizeBytes + bytes.length
    if (this.block.length - this.end < bytes.length) {
      const roomyBytes = Math.max(blockSizeBytesMin, sizeBytes, this.sizeBytes * 2)
      const isForeseen = sizeBytes <= expectedBytes
      // Not from the pool, of which each piece would keep a page.
      const block = Buffer.allocUnsafeSlow(
        isForeseen ? Math.min(roomyBytes, expectedBytes) : roomyBytes,
      )
      this.block.copy(block, 0, this.start, this.end)
      this.end = this.sizeBytes
      this.start = 0
      this.block = block
    }
    this.block.set(bytes, this.end)
    this.end += bytes.length
  }

  /** Takes out the first bytes, of which there are enough. */
  take(sizeBytes: number): Buffer {
    const taken = this.block.subarray(this.start, this.start + sizeBytes)
    this.start += sizeBytes
    if (this.start === this.end) this.clear()
    return taken
  }

  clear(): void {
    this.block = noBytes
    this.start = 0
    this.end = 0
  }
}
