/** Colours of the languages that the editor does not bring, and times told on hover. */

import { findTime } from '../values/time-facts.ts'
import type { Monaco } from './monaco-loader.ts'

/** Adds them to the editor; called once. */
export function addLanguages(monaco: Monaco): void {
  const { languages } = monaco
  for (const id of ['toml', 'dotenv']) {
    languages.register({ id })
    languages.setLanguageConfiguration(id, {
      comments: { lineComment: '#' },
      brackets: [
        ['[', ']'],
        ['{', '}'],
      ],
    })
  }
  languages.setMonarchTokensProvider('toml', {
    tokenizer: {
      root: [
        [/#.*$/u, 'comment'],
        [/^\s*\[\[?[^\]]*\]\]?/u, 'type'],
        [/[\w.-]+(?=\s*=)/u, 'type'],
        [/"""/u, 'string', '@basicLines'],
        [/'''/u, 'string', '@literalLines'],
        [/"(?:[^"\\]|\\.)*"(?=\s*=)/u, 'type'],
        [/"(?:[^"\\]|\\.)*"?/u, 'string'],
        [/'[^']*'?/u, 'string'],
        [/\b(?:true|false|inf|nan)\b/u, 'keyword'],
        [
          /\d{4}-\d{2}-\d{2}[\d:.TtZz+-]*|[+-]?(?:0x[\da-fA-F_]+|[\d_]+(?:\.[\d_]+)?(?:[eE][+-]?\d+)?)/u,
          'number',
        ],
        [/[=,[\]{}]/u, 'delimiter'],
      ],
      basicLines: [
        [/"""/u, 'string', '@pop'],
        [/[^"\\]+|\\.?|"/u, 'string'],
      ],
      literalLines: [
        [/'''/u, 'string', '@pop'],
        [/[^']+|'/u, 'string'],
      ],
    },
  })
  languages.setMonarchTokensProvider('dotenv', {
    tokenizer: {
      root: [
        [/^\s*#.*$/u, 'comment'],
        [/^\s*(export)(\s+)/u, ['keyword', '']],
        [/[\w.-]+(?=\s*=)/u, 'type'],
        [/"(?:[^"\\]|\\.)*"?|'[^']*'?|`[^`]*`?/u, 'string'],
        [/\$\{?[\w.-]+\}?/u, 'keyword'],
        [/=/u, 'delimiter'],
      ],
    },
  })
  languages.registerHoverProvider(
    ['plaintext', 'json', 'yaml', 'toml', 'xml', 'ini', 'dotenv', 'shell'],
    { provideHover: hoverAt },
  )
}

type HoverProvider = Parameters<Monaco['languages']['registerHoverProvider']>[1]

/** Numbers and identifiers that stand for a time are told as one, in UTC and as text. */
const hoverAt: HoverProvider['provideHover'] = (model, { lineNumber, column }) => {
  // One line of a large value may be all of it.
  const first = Math.max(1, column - 64)
  const part = model.getValueInRange({
    startLineNumber: lineNumber,
    endLineNumber: lineNumber,
    startColumn: first,
    endColumn: column + 64,
  })
  for (const match of part.matchAll(/[\dA-Za-z-]{10,36}/gu)) {
    const start = first + match.index
    const end = start + match[0].length
    const found = column >= start && column <= end ? findTime(match[0]) : undefined
    if (found === undefined) continue
    return {
      range: {
        startLineNumber: lineNumber,
        endLineNumber: lineNumber,
        startColumn: start,
        endColumn: end,
      },
      contents: [{ value: `${new Date(found.atMs).toISOString()} (${found.unit})` }],
    }
  }
  return undefined
}
