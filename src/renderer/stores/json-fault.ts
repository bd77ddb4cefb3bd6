/** Where JSON text stops being JSON: browsers say that it does, but not all of them where. */

const token =
  // eslint-disable-next-line no-control-regex -- JSON forbids just these inside of texts
  /\s*(?:("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)|([{}[\],:]))/uy

/** What may stand next. */
type Expected = 'value' | 'valueOrEnd' | 'name' | 'nameOrEnd' | 'colon' | 'next'

/** Offset of the first thing that does not belong there; the length of the text when it ends too early. */
export function jsonFaultOffset(text: string): number {
  const open: ('{' | '[')[] = []
  let expected: Expected = 'value'
  let at = 0
  for (;;) {
    const start = at + (/^\s*/u.exec(text.slice(at))?.[0].length ?? 0)
    if (expected === 'next' && open.length === 0) return start
    token.lastIndex = at
    const match = token.exec(text)
    if (match === null) return start
    at = token.lastIndex
    const [, string, scalar, sign] = match
    const next: Expected | undefined =
      sign === undefined
        ? afterScalar(expected, { isString: string !== undefined && scalar === undefined })
        : afterSign(expected, sign, open)
    if (next === undefined) return start
    expected = next
  }
}

function afterScalar(
  expected: Expected,
  { isString }: { readonly isString: boolean },
): Expected | undefined {
  if (expected === 'value' || expected === 'valueOrEnd') return 'next'
  return isString && (expected === 'name' || expected === 'nameOrEnd') ? 'colon' : undefined
}

function afterSign(expected: Expected, sign: string, open: ('{' | '[')[]): Expected | undefined {
  const isValue = expected === 'value' || expected === 'valueOrEnd'
  const top = open.at(-1)
  switch (sign) {
    case '{':
    case '[':
      if (!isValue) return undefined
      open.push(sign)
      return sign === '{' ? 'nameOrEnd' : 'valueOrEnd'
    case ':':
      return expected === 'colon' ? 'value' : undefined
    case ',':
      if (expected !== 'next') return undefined
      return top === '{' ? 'name' : 'value'
    default: {
      const isEnd =
        sign === '}'
          ? top === '{' && (expected === 'nameOrEnd' || expected === 'next')
          : top === '[' && (expected === 'valueOrEnd' || expected === 'next')
      if (!isEnd) return undefined
      open.pop()
      return 'next'
    }
  }
}
