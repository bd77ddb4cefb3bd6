/**
 * Regular expressions that a user types.
 *
 * JavaScript's own engine tries one way through an expression after the other. For some, like `(a+)+$`, these are more than
 * anybody can wait for, and neither the window nor the main process answers meanwhile. RE2 follows all ways at once: its time
 * grows with the text and nothing else. It has no look-arounds and no references back to a group; otherwise an expression
 * may be written as in Go, whose syntax is RE2's, or as in JavaScript.
 *
 * @see https://github.com/google/re2/wiki/Syntax
 */
import { RE2JS, RE2JSException } from 're2js'

/** A compiled expression. */
export interface UserPattern {
  /** Whether it matches anywhere in the text, or in bytes taken as UTF-8. */
  readonly test: (text: string | Uint8Array) => boolean
}

export interface UserPatternOptions {
  /** False when absent. */
  readonly ignoresCase?: boolean
}

/** @returns undefined when the text is no expression */
export function compilePattern(
  text: string,
  { ignoresCase = false }: UserPatternOptions = {},
): UserPattern | undefined {
  try {
    const flags = ignoresCase ? RE2JS.CASE_INSENSITIVE : 0
    const expression = RE2JS.compile(RE2JS.translateRegExp(text), flags)
    return { test: (subject) => expression.test(subject) }
  } catch (error) {
    if (error instanceof RE2JSException) return undefined
    throw error
  }
}

/** Whether a text can be used as a regular expression. */
export function isPattern(text: string): boolean {
  return compilePattern(text) !== undefined
}
