/**
 * A reader of token values for code that cannot take `var()`: the values that are in force at an element, so that a
 * region of the past answers with its own.
 *
 * The build shortens colours (`#ffffff` becomes `#fff`, some become names), and the editor takes six digits only, so
 * every colour is spelled out again.
 */
export function tokenReader(place: Element): (name: string) => string {
  const style = getComputedStyle(place)
  return (name) => spelledOut(style.getPropertyValue(`--${name}`).trim())
}

function spelledOut(colour: string): string {
  if (/^#[0-9a-f]{3,4}$/iu.test(colour)) {
    return colour.replaceAll(/[0-9a-f]/giu, '$&$&')
  }
  if (colour.startsWith('#')) return colour
  const context = document.createElement('canvas').getContext('2d')
  if (context === null) return colour
  context.fillStyle = colour
  return context.fillStyle
}
