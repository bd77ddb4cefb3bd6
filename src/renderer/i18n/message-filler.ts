/** Messages that many rows say with values of their own: asked for once, since a message takes longer than the rest of a cell. */

type Translate = (key: string, values?: Record<string, string>) => string

// No text of a user stands in a message when it is asked for, so that these are found again.
const first = '\u0001'
const second = '\u0002'

/** A message with one value. */
export function fillerOf(t: Translate, key: string, name: string): (value: string) => string {
  const parts = t(key, { [name]: first }).split(first)
  return (value) => parts.join(value)
}

/** A message with two values. */
export function pairFillerOf(
  t: Translate,
  key: string,
  [name, otherName]: readonly [string, string],
): (value: string, other: string) => string {
  const parts = t(key, { [name]: first, [otherName]: second })
    .split(first)
    .map((part) => part.split(second))
  return (value, other) => parts.map((part) => part.join(other)).join(value)
}
