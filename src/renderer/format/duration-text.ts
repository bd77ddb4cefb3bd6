/** Durations and times of day as text. Times are local, 24 hours, with seconds. */

/** A duration: 850 µs, 12.4 ms, 3.2 s, 4 min 05 s, 2 h 10 min, 3 d 4 h. */
export function durationText(durationMs: number): string {
  if (durationMs < 1) return `${String(Math.round(durationMs * 1000))} µs`
  if (durationMs < 1000) return `${threeDigits(durationMs)} ms`
  const seconds = durationMs / 1000
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : String(Math.floor(seconds))} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${String(minutes)} min ${twoDigits(Math.floor(seconds % 60))} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${String(hours)} h ${String(minutes % 60)} min`
  return `${String(Math.floor(hours / 24))} d ${String(hours % 24)} h`
}

/** Local time of day with seconds: 14:03:22. */
export function timeText(time: Date): string {
  return `${twoDigits(time.getHours())}:${twoDigits(time.getMinutes())}:${twoDigits(time.getSeconds())}`
}

/** Local time of day with milliseconds: 14:05:29.412. */
export function preciseTimeText(time: Date): string {
  return `${timeText(time)}.${String(time.getMilliseconds()).padStart(3, '0')}`
}

/** Offset of local time from UTC: UTC+02:00. */
export function utcOffsetText(time: Date): string {
  const minutes = -time.getTimezoneOffset()
  const sign = minutes < 0 ? '−' : '+'
  const size = Math.abs(minutes)
  return `UTC${sign}${twoDigits(Math.floor(size / 60))}:${twoDigits(size % 60)}`
}

function threeDigits(value: number): string {
  if (value >= 100) return String(Math.round(value))
  return value >= 10 ? value.toFixed(1).replace(/\.0$/u, '') : value.toFixed(1)
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
