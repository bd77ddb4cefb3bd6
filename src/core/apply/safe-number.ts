/** 64-bit numbers of the wire as JavaScript numbers. */

/**
 * The nearest safe integer. A revision or limit beyond 2^53 cannot exist here, and every comparison with one that can
 * comes out the same after clamping.
 */
export function clampToSafe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER
  if (value < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER
  return Number(value)
}
