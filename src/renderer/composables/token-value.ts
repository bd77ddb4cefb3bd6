/**
 * A reader of token values for code that cannot take `var()`: the values that are in force at an element, so that a
 * region of the past answers with its own.
 */
export function tokenReader(place: Element): (name: string) => string {
  const style = getComputedStyle(place)
  return (name) => style.getPropertyValue(`--${name}`).trim()
}
