import { randomBytes } from 'node:crypto'
import type { Random } from '../base/random.ts'

/** Random numbers of the operating system. */
export const systemRandom: Random = {
  below: (boundExclusive) =>
    Math.floor((randomBytes(4).readUInt32LE() / 0x1_0000_0000) * boundExclusive),
  fraction: () => randomBytes(4).readUInt32LE() / 0x1_0000_0000,
  bits64: () => randomBytes(8).readBigUInt64LE(),
}
