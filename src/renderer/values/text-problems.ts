/** Looks for what is wrong with a text in its language. */

import { XMLParser } from 'fast-xml-parser'
import { parse as parseToml, TomlError } from 'smol-toml'
import { parseAllDocuments } from 'yaml'
import type { TextLanguage } from './text-language.ts'

/** Something wrong, and where; lines and columns count from 1. */
export interface TextProblem {
  readonly line: number
  readonly column: number
  readonly message: string
}

/** Problems that are shown of one text. */
const problemsMax = 20

/** The problems of a text; none for a language that has no rules. */
export function findProblems(language: TextLanguage, text: string): readonly TextProblem[] {
  return problemsOf(language, text).slice(0, problemsMax)
}

function problemsOf(language: TextLanguage, text: string): readonly TextProblem[] {
  switch (language) {
    case 'yaml':
      return yamlProblems(text)
    case 'toml':
      return tomlProblems(text)
    case 'xml':
      return xmlProblems(text)
    case 'ini':
      return lineProblems(
        text,
        /^\s*(?:[#;].*|\[[^\]]+\]\s*(?:[#;].*)?|[^[\s][^=:]*(?:[=:].*)?)?$/u,
      )
    case 'dotenv':
      return dotenvProblems(text)
    case 'json':
    case 'shell':
    case 'plaintext':
      return []
  }
}

function yamlProblems(text: string): readonly TextProblem[] {
  const parsed = parseAllDocuments(text, { prettyErrors: true })
  if (!Array.isArray(parsed)) return []
  return parsed
    .flatMap((document) => document.errors)
    .map(({ message, linePos }) => ({
      line: linePos?.[0].line ?? 1,
      column: linePos?.[0].col ?? 1,
      message: message.split(/ at line \d|:\n/u, 1)[0] ?? message,
    }))
}

function tomlProblems(text: string): readonly TextProblem[] {
  try {
    parseToml(text, { integersAsBigInt: true })
    return []
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const message = error.message.split('\n', 1)[0] ?? ''
    return [{ line: error.line, column: error.column, message }]
  }
}

/** The parser's own check throws one error, with line and column at the end of its text. */
function xmlProblems(text: string): readonly TextProblem[] {
  try {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the check moves to a package that is not ours yet
    new XMLParser().parse(text, true)
    return []
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const [, message = error.message, line = '1', column = '1'] =
      /^([\s\S]*?):(\d+):(\d+)$/u.exec(error.message) ?? []
    return [{ line: Number(line), column: Number(column), message }]
  }
}

function lineProblems(text: string, good: RegExp): readonly TextProblem[] {
  return text
    .split(/\r?\n/u)
    .flatMap((line, index) =>
      good.test(line)
        ? []
        : [{ line: index + 1, column: 1, message: 'Neither a section, a setting nor a comment' }],
    )
}

/** Values in quotes may go over several lines. */
function dotenvProblems(text: string): readonly TextProblem[] {
  const problems: TextProblem[] = []
  let quote: string | undefined
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    if (quote !== undefined) {
      if (line.includes(quote)) quote = undefined
      continue
    }
    if (/^\s*(?:#.*)?$/u.test(line)) continue
    const value = /^\s*(?:export\s+)?[\w.-]+\s*=\s*(.*)$/u.exec(line)?.[1]
    if (value === undefined)
      problems.push({ line: index + 1, column: 1, message: 'Neither NAME=value nor a comment' })
    const open = /^(["'`])(?!.*\1)/u.exec(value ?? '')?.[1]
    if (open !== undefined) quote = open
  }
  return problems
}
