/** What happened in a run: a rolling hash over everything, and the last events in readable form. */

/** One executed event, for the report of a failure. */
export interface TraceEntry {
  readonly atUs: number
  readonly process: string
  readonly text: string
}

const shownEntryCountMax = 60

/**
 * Keeps the hash of the whole run and a ring of its last entries.
 *
 * Two runs of one seed must end with the same hash: that is the self-test of determinism.
 */
export class Trace {
  private low = 0x811c9dc5
  private high = 0x9e3779b9
  private readonly ring: (TraceEntry | (() => TraceEntry))[] = []
  private position = 0
  private readonly textHashes = new Map<string, number>()
  /** Number of entries mixed in so far. */
  entryCount = 0

  /** Mixes a number (its low 32 bits and what is above them) into the hash. */
  mix(value: number): void {
    const lowBits = value | 0
    const highBits = Math.floor(value / 0x1_0000_0000) | 0
    this.low = Math.imul(this.low ^ lowBits, 0x01000193)
    this.high = Math.imul((this.high ^ highBits) + ((this.low >>> 7) | 0), 0x85ebca6b)
  }

  /** Mixes a text into the hash; texts come from a small set and are hashed once each. */
  mixText(text: string): void {
    let hash = this.textHashes.get(text)
    if (hash === undefined) {
      hash = hashOfText(text)
      this.textHashes.set(text, hash)
    }
    this.mix(hash)
  }

  /** Mixes bytes into the hash. */
  mixBytes(bytes: Uint8Array): void {
    this.mix(hashOfBytes(bytes))
  }

  /** Remembers an entry for the report; a function is only called when the report is printed. */
  remember(entry: TraceEntry | (() => TraceEntry)): void {
    this.entryCount += 1
    if (this.ring.length < shownEntryCountMax) this.ring.push(entry)
    else this.ring[this.position] = entry
    this.position = (this.position + 1) % shownEntryCountMax
  }

  /** 64 bits of hash as 16 hexadecimal digits. */
  hash(): string {
    return hex32(this.high) + hex32(this.low)
  }

  /** The last entries as lines, oldest first. */
  lastLines(): readonly string[] {
    const isWrapped = this.ring.length === shownEntryCountMax
    const ordered = isWrapped
      ? [...this.ring.slice(this.position), ...this.ring.slice(0, this.position)]
      : this.ring
    return ordered.map((item) => {
      const entry = typeof item === 'function' ? item() : item
      return `${(entry.atUs / 1_000_000).toFixed(6).padStart(11)} s  ${entry.process.padEnd(8)} ${entry.text}`
    })
  }
}

/** FNV-1a over UTF-16 units, 32 bits. */
export function hashOfText(text: string): number {
  let hash = 0x811c9dc5
  for (let position = 0; position < text.length; position++) {
    hash = Math.imul(hash ^ text.charCodeAt(position), 0x01000193)
  }
  return hash >>> 0
}

/** FNV-1a over bytes, 32 bits. */
export function hashOfBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0')
}
