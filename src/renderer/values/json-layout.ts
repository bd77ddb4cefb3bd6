/** JSON over several lines, with every name, text and number exactly as it was written. */

const indentUnit = '  '

/**
 * Lays JSON out with one member a line. Undefined when the text is no JSON.
 *
 * The text is not parsed and written anew: numbers with more digits than JavaScript keeps, and members that occur twice,
 * stay as they are.
 */
export function layOutJson(text: string): string | undefined {
  if (!isJson(text)) return undefined
  const out: string[] = []
  let depth = 0
  const newLine = (): void => {
    out.push('\n', indentUnit.repeat(depth))
  }
  // In valid JSON these are all the tokens there are; a text is one token whatever is in it.
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gsu
  let before = ''
  for (const [token] of text.matchAll(tokens)) {
    if (token === '}' || token === ']') {
      depth--
      if (before !== '{' && before !== '[') newLine()
    } else if (before === '{' || before === '[' || before === ',') newLine()
    out.push(token === ':' ? ': ' : token)
    if (token === '{' || token === '[') depth++
    before = token
  }
  return out.join('')
}

/** Whether the whole text is one JSON value. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}
