/** A moment as a person types it, in local time. */

const clockPattern = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?$/u
const dayPattern = /^(\d{4})-(\d{2})-(\d{2})[ T]+(\S+)$/u
const dayMs = 86_400_000

/**
 * The moment of a text such as `14:03`, `14:03:22` or `2026-05-04 14:03:22`, in milliseconds. A time without a day is the last
 * one that the clock showed. Undefined for any other text.
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const typed = text.trim()
  const day = dayPattern.exec(typed)
  const base = new Date(nowMs)
  if (day !== null) {
    const [, year = '', month = '', date = ''] = day
    base.setFullYear(Number(year), Number(month) - 1, Number(date))
    // The thirtieth of February is no day.
    if (base.getMonth() !== Number(month) - 1 || base.getDate() !== Number(date)) return undefined
  }
  const clock = clockPattern.exec(day?.[4] ?? typed)
  if (clock === null) return undefined
  const [hours = 0, minutes = 0, seconds = 0] = clock
    .slice(1, 4)
    .map((part: string | undefined) => Number(part ?? 0))
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined
  const milliseconds = Number((clock[4] ?? '').padEnd(3, '0'))
  const atMs = base.setHours(hours, minutes, seconds, milliseconds)
  return day === null && atMs > nowMs ? atMs - dayMs : atMs
}
