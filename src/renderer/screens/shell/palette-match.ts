/** How the palette finds an entry: the letters typed stand in it in their order, best at the starts of words. */

/** Where the letters were found, as positions in the text, and how good the match is: less is better. */
export interface PaletteMatch {
  readonly positions: readonly number[]
  readonly penalty: number
}

/**
 * Matches a query as a subsequence of a text, without regard to case.
 *
 * Gaps cost one each, and a letter that does not begin a word costs one more, so "def" finds "Defragment" before
 * "Validate downgrade before".
 *
 * @returns undefined when the letters do not occur in this order; an empty query matches everything
 */
export function findMatch(text: string, query: string): PaletteMatch | undefined {
  const haystack = text.toLowerCase()
  const needle = query.toLowerCase().replaceAll(' ', '')
  const whole = haystack.indexOf(query.toLowerCase())
  if (whole !== -1) {
    const isWordStart = whole === 0 || !/\w/u.test(haystack.charAt(whole - 1))
    return {
      positions: Array.from({ length: query.length }, (_, index) => whole + index),
      penalty: isWordStart ? 0 : 1,
    }
  }
  const positions: number[] = []
  let penalty = 2
  let from = 0
  for (const letter of needle) {
    const found = haystack.indexOf(letter, from)
    if (found === -1) return undefined
    if (found > from) penalty++
    if (found > 0 && /\w/u.test(haystack.charAt(found - 1)) && found !== from) penalty++
    positions.push(found)
    from = found + 1
  }
  return { positions, penalty }
}

/** The text in pieces, each either found or not, for highlighting without markup in data. */
export function piecesOf(
  text: string,
  positions: readonly number[],
): readonly { readonly text: string; readonly isFound: boolean }[] {
  const pieces: { text: string; isFound: boolean }[] = []
  const found = new Set(positions)
  for (let index = 0; index < text.length; index++) {
    const isFound = found.has(index)
    const last = pieces.at(-1)
    if (last?.isFound === isFound) last.text += text.charAt(index)
    else pieces.push({ text: text.charAt(index), isFound })
  }
  return pieces
}
