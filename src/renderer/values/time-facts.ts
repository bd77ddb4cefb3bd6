/** Times that are written as numbers and identifiers. */

/** A time found in a value. */
export interface FoundTime {
  /** Name of the member that holds it; empty when the whole value does. */
  readonly name: string
  readonly atMs: number
  readonly unit: 's' | 'ms' | 'µs' | 'ns' | 'uuid' | 'ulid'
}

/** 2001-09-09 in seconds, from where on all units have a digit count of their own, to the year 2100. */
const earliestMs = 1_000_000_000_000
const latestMs = 4_102_444_800_000
/** Looked for in texts up to this size. */
const searchUnitsMax = 64 * 1024
const foundMax = 20

/** The time that a number or an identifier stands for; undefined when it stands for none. */
export function findTime(text: string): Omit<FoundTime, 'name'> | undefined {
  if (/^\d+$/u.test(text)) return timeOfDigits(text)
  if (/^[\da-f]{8}-[\da-f]{4}-[17][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/iu.test(text))
    return inRange(timeOfUuid(text.toLowerCase()), 'uuid')
  if (/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/u.test(text)) return inRange(timeOfUlid(text), 'ulid')
  return undefined
}

/** Times in a text: the text itself, or members of JSON and settings that hold one. */
export function findTimes(text: string): readonly FoundTime[] {
  if (text.length > searchUnitsMax) return []
  const whole = findTime(text.trim())
  if (whole !== undefined) return [{ name: '', ...whole }]
  const found: FoundTime[] = []
  const pattern = /"?([\w.-]+)"?\s*[:=]\s*"?(\d{10}|\d{13}|\d{16}|\d{19})(?![\w.])/gu
  for (const [, name = '', digits = ''] of text.matchAll(pattern)) {
    const time = timeOfDigits(digits)
    if (time !== undefined && found.length < foundMax) found.push({ name, ...time })
  }
  return found
}

function timeOfDigits(digits: string): Omit<FoundTime, 'name'> | undefined {
  const value = Number(digits)
  if (digits.length === 10) return inRange(value * 1000, 's')
  if (digits.length === 13) return inRange(value, 'ms')
  if (digits.length === 16) return inRange(value / 1000, 'µs')
  if (digits.length === 19) return inRange(value / 1_000_000, 'ns')
  return undefined
}

/** Version 7 begins with milliseconds; version 1 holds steps of 100 ns since 1582 in mixed order. */
function timeOfUuid(uuid: string): number {
  const [low = '', middle = '', high = ''] = uuid.split('-')
  if (high.startsWith('7')) return Number.parseInt(low + middle, 16)
  const steps = BigInt(`0x${high.slice(1)}${middle}${low}`)
  return Number(steps / 10_000n) - 12_219_292_800_000
}

function timeOfUlid(ulid: string): number {
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  let atMs = 0
  for (const letter of ulid.slice(0, 10)) atMs = atMs * 32 + alphabet.indexOf(letter)
  return atMs
}

function inRange(atMs: number, unit: FoundTime['unit']): Omit<FoundTime, 'name'> | undefined {
  return atMs >= earliestMs && atMs < latestMs ? { atMs: Math.floor(atMs), unit } : undefined
}
