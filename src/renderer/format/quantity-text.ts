/** Counts, sizes, ids and revisions as text, in the forms that every screen shares. */

const counts = new Intl.NumberFormat('en')
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** A count with its groups: 1,204,331. */
export function countText(count: number): string {
  // Most counts of a list are small, and the formatter takes longer than the rest of their cell.
  return Number.isInteger(count) && count >= 0 && count < 1000
    ? String(count)
    : counts.format(count)
}

/** A size in binary units with three significant digits: 394 B, 1.02 KiB, 2.15 GiB. */
export function sizeText(sizeBytes: number): string {
  let value = Math.abs(sizeBytes)
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  const sign = sizeBytes < 0 ? '−' : ''
  const digits = unit === 0 ? String(value) : value.toPrecision(value >= 1000 ? 4 : 3)
  return `${sign}${digits} ${units[unit] ?? 'B'}`
}

/** A change of size with its sign: +18 B, −602 B, 0 B. */
export function sizeChangeText(sizeBytes: number): string {
  return sizeBytes > 0 ? `+${sizeText(sizeBytes)}` : sizeText(sizeBytes)
}

/** A revision as it is written everywhere: r88120, without groups. */
export function revisionText(revision: number): string {
  return `r${String(revision)}`
}

/** A cluster, member or lease id: sixteen hexadecimal digits. */
export function idText(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, '0')
}

/** An id in a narrow cell: its first and last four digits. */
export function shortIdText(id: bigint): string {
  const text = idText(id)
  return `${text.slice(0, 4)}…${text.slice(-4)}`
}

/** Events a second, three significant digits below ten. */
export function rateText(perSecond: number): string {
  if (perSecond >= 10) return counts.format(Math.round(perSecond))
  return perSecond === 0 ? '0' : perSecond.toPrecision(perSecond < 1 ? 1 : 2)
}
