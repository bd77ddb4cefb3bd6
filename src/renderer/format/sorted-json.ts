/**
 * JSON with the names of each object in order, laid out over lines, so that a difference shows what differs and not how it
 * was written. Numbers and texts stay as they were written: JavaScript keeps 53 bits of a number, and two that differ
 * beyond that must not become one.
 */

/** Deeper values are left as they are; nobody wrote them by hand. */
const depthMax = 200

/** The sorted text, or undefined when the text is not JSON (or too deep). */
export function sortedJson(text: string): string | undefined {
  try {
    JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+/gu) ?? []
  const parsed = parseValue({ tokens, at: 0 }, 0)
  return parsed === undefined ? undefined : written(parsed, '')
}

type Node =
  | { readonly kind: 'scalar'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly Node[] }
  | { readonly kind: 'object'; readonly members: readonly (readonly [string, Node])[] }

interface Cursor {
  readonly tokens: readonly string[]
  at: number
}

/** The text is known to be JSON, so that tokens need not be checked. */
function parseValue(cursor: Cursor, depth: number): Node | undefined {
  if (depth > depthMax) return undefined
  const token = cursor.tokens[cursor.at++] ?? ''
  if (token !== '{' && token !== '[') return { kind: 'scalar', text: token }
  const end = token === '{' ? '}' : ']'
  const items: Node[] = []
  const members: (readonly [string, Node])[] = []
  while (cursor.tokens[cursor.at] !== end && cursor.at < cursor.tokens.length) {
    const name = token === '{' ? (cursor.tokens[cursor.at] ?? '') : ''
    if (token === '{') cursor.at += 2
    const value = parseValue(cursor, depth + 1)
    if (value === undefined) return undefined
    if (token === '{') members.push([name, value])
    else items.push(value)
    if (cursor.tokens[cursor.at] === ',') cursor.at++
  }
  cursor.at++
  if (token === '[') return { kind: 'list', items }
  // The same name twice keeps its order: the later one is what readers take.
  return { kind: 'object', members: members.sort(([left], [right]) => order(left, right)) }
}

function order(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

function written(node: Node, indent: string): string {
  if (node.kind === 'scalar') return node.text
  const inner = `${indent}  `
  const lines =
    node.kind === 'list'
      ? node.items.map((item) => inner + written(item, inner))
      : node.members.map(([name, value]) => `${inner}${name}: ${written(value, inner)}`)
  const [open, close] = node.kind === 'list' ? ['[', ']'] : ['{', '}']
  return lines.length === 0 ? open + close : `${open}\n${lines.join(',\n')}\n${indent}${close}`
}
