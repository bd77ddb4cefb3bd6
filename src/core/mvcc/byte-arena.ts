/**
 * Small byte arrays cut out of large ones.
 *
 * Every put writes three or four short values. Memory of its own for each costs more than filling it, and LMDB, which takes
 * values by their address, pays again for every new piece of memory it is shown.
 */
export class ByteArena {
  private slab = new ArrayBuffer(slabSizeBytes)
  private usedSizeBytes = 0

  /** Zeroed bytes that nobody else has. They keep their slab alive as long as they live. */
  allocate(sizeBytes: number): Uint8Array {
    if (sizeBytes > sharedSizeBytesMax) return new Uint8Array(sizeBytes)
    if (this.usedSizeBytes + sizeBytes > slabSizeBytes) {
      this.slab = new ArrayBuffer(slabSizeBytes)
      this.usedSizeBytes = 0
    }
    const start = this.usedSizeBytes
    this.usedSizeBytes += sizeBytes
    // Half the cost of `subarray`.
    return new Uint8Array(this.slab, start, sizeBytes)
  }
}

const slabSizeBytes = 32_768
/** Larger ones get their own memory, so that little of a slab is ever left unused. */
const sharedSizeBytesMax = 2_048
