/** Chance, passed in, so that a run can be replayed from a seed. */

/** A source of random numbers. */
export interface Random {
  /** A whole number in [0, boundExclusive); the bound is at most 2^32. */
  below(boundExclusive: number): number
  /** A number in [0, 1). */
  fraction(): number
  /** 64 random bits. */
  bits64(): bigint
}

/**
 * The generator sfc32 by Chris Doty-Humphrey: 128 bits of state, good enough for every statistical test and fast in
 * 32-bit arithmetic. Not for secrets.
 */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9 | 0
  let b = 0x243f6a88 | 0
  let c = seed | 0
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return sum >>> 0
  }
  // The first outputs still mirror the seed; a dozen rounds mix it through.
  for (let round = 0; round < 12; round++) next()
  return {
    below: (boundExclusive) => Math.floor((next() / 0x1_0000_0000) * boundExclusive),
    fraction: () => next() / 0x1_0000_0000,
    bits64: () => (BigInt(next()) << 32n) | BigInt(next()),
  }
}

/** Derives an independent generator from a seed and a name, so that a new draw in one stream does not move the others. */
export function namedRandom(seed: number, streamName: string): Random {
  // FNV-1a over the name, folded into the seed.
  let hash = 0x811c9dc5 ^ seed
  for (let position = 0; position < streamName.length; position++) {
    hash = Math.imul(hash ^ streamName.charCodeAt(position), 0x01000193)
  }
  return seededRandom(hash)
}
