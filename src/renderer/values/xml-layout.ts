/** XML over several lines, with every tag, text and comment exactly as it was written. */

const indentUnit = '  '
const tokens =
  /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<(?:"[^"]*"|'[^']*'|[^>"'])+>|[^<]+/gu

/**
 * Lays valid XML out with one element a line. Undefined when white space may mean something: where words and elements
 * stand side by side, where the text says so, or where there is a document type.
 */
export function layOutXml(text: string): string | undefined {
  if (/<!DOCTYPE/iu.test(text) || text.includes('xml:space')) return undefined
  const lines: string[] = []
  /** One for each open element: what it holds so far. */
  const open: { hasWords: boolean; hasOthers: boolean }[] = [{ hasWords: false, hasOthers: false }]
  for (const [token] of text.matchAll(tokens)) {
    const inside = open.at(-1)
    if (inside === undefined) return undefined
    if (!token.startsWith('<') || token.startsWith('<![CDATA[')) {
      if (token.trim() === '') continue
      inside.hasWords = true
      lines.push(`${lines.pop() ?? ''}${token}`)
    } else if (token.startsWith('</')) {
      open.pop()
      if (inside.hasOthers) lines.push(indentUnit.repeat(open.length - 1) + token)
      else lines.push(`${lines.pop() ?? ''}${token}`)
    } else {
      inside.hasOthers = true
      lines.push(indentUnit.repeat(open.length - 1) + token)
      const isElement = !/^<[!?]/u.test(token) && !token.endsWith('/>')
      if (isElement) open.push({ hasWords: false, hasOthers: false })
    }
    if (inside.hasWords && inside.hasOthers) return undefined
  }
  return lines.join('\n')
}
