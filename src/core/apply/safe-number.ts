/** 64-bit numbers of the wire as JavaScript numbers. */

/**
 * The nearest safe integer. A revision or limit beyond 2^53 cannot exist here, and every comparison with one that can
 * comes out the same after clamping.
 */
export function clampToSafe(value: bigint): number {
  const nearest = Number(value)
  return Math.min(Math.max(nearest, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
}
