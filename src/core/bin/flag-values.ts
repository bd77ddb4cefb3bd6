/** Values of flags as Go's flag package reads them: numbers, booleans, durations. Undefined: does not parse. */

/** Go's `strconv.ParseBool`. */
export function parseBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false
  return undefined
}

/** A whole number, decimal or with a prefix of its base; bounded by what a number holds exactly. */
export function parseInteger(text: string): number | undefined {
  if (!/^[+-]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|\d+)$/.test(text)) return undefined
  const isNegative = text.startsWith('-')
  const digits = text.replace(/^[+-]/, '')
  // Go reads a leading zero as octal.
  const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits)
  if (!Number.isSafeInteger(value)) return undefined
  return isNegative ? -value : value
}

const durationUnitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

/** Milliseconds of a Go duration such as `1h15m30.5s`; `0` needs no unit. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\xb5s|\u03bcs|ms|s|m|h))+$/.exec(text)
  if (match === null) return /^[+-]?0$/.test(text) ? 0 : undefined
  let totalMs = 0
  for (const [, amount, unit] of text.matchAll(
    /(\d+(?:\.\d*)?|\.\d+)(ns|us|\xb5s|\u03bcs|ms|s|m|h)/g,
  )) {
    totalMs += Number(amount) * (durationUnitsMs[unit ?? ''] ?? 0)
  }
  return match[1] === '-' ? -totalMs : totalMs
}
