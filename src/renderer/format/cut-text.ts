/**
 * Where a line of text may be cut: in its middle. Names that differ, differ most often at their ends, which therefore stay.
 */

/** Text up to this many characters has room wherever names are shown. */
const wholeCharsMax = 24
/** What stays of an end that is itself long. */
const endChars = 12

/** The two parts of a text: the first may be shortened where there is no room, the second may not. */
export interface TextEnds {
  readonly start: string
  /** Empty when the text is short enough to be one part. */
  readonly end: string
}

/** Takes a text apart so that its last part is the last segment of a path, or the last characters of a long name. */
export function endsOf(text: string): TextEnds {
  if (text.length <= wholeCharsMax) return { start: text, end: '' }
  const segmentAt = text.lastIndexOf('/', text.length - 2) + 1
  const isSegment = segmentAt > 0 && text.length - segmentAt <= wholeCharsMax
  let at = isSegment ? segmentAt : text.length - endChars
  // Both halves of a character outside the basic plane stay together.
  const code = text.charCodeAt(at)
  if (code >= 0xdc00 && code <= 0xdfff) at--
  return { start: text.slice(0, at), end: text.slice(at) }
}

/** Where the last part of a name begins, behind its last separator but one that ends it; without a separator at 0. */
export function lastPartAt(name: string, separator: string): number {
  if (separator === '') return 0
  const at = name.lastIndexOf(separator, name.length - separator.length - 1)
  return at < 0 ? 0 : at + separator.length
}
