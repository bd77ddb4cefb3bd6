/** What the worker for values does, as messages. */

import { stringify } from 'yaml'
import { decodeValue, type DecodedValue } from './decode-value.ts'
import { ExactNumbers } from './exact-numbers.ts'
import { formatText, type FormatReply } from './format-text.ts'
import { isJson, layOutJson } from './json-layout.ts'
import type { TextLanguage } from './text-language.ts'
import { findProblems, type TextProblem } from './text-problems.ts'

/** One task; its answer has the type of the same name in `ValueAnswers`. */
export type ValueTask =
  | { readonly kind: 'decode'; readonly bytes: Uint8Array }
  | { readonly kind: 'format'; readonly language: TextLanguage; readonly text: string }
  | { readonly kind: 'check'; readonly language: TextLanguage; readonly text: string }
  /** JSON laid out over lines; undefined when it is none. */
  | { readonly kind: 'layOut'; readonly text: string }
  /** JSON as YAML; undefined when it is none. */
  | { readonly kind: 'toYaml'; readonly text: string }

/** What each task answers. */
export interface ValueAnswers {
  readonly decode: DecodedValue
  readonly format: FormatReply
  readonly check: readonly TextProblem[]
  readonly layOut: string | undefined
  readonly toYaml: string | undefined
}

/** Does one task. */
export async function runValueTask(task: ValueTask): Promise<ValueAnswers[ValueTask['kind']]> {
  switch (task.kind) {
    case 'decode':
      return await decodeValue(task.bytes)
    case 'format':
      return formatText(task.language, task.text)
    case 'check':
      return findProblems(task.language, task.text)
    case 'layOut':
      return layOutJson(task.text)
    case 'toYaml':
      return jsonToYaml(task.text)
  }
}

/** No number is rounded on the way. */
function jsonToYaml(text: string): string | undefined {
  if (!isJson(text)) return undefined
  const numbers = new ExactNumbers(text)
  const marked = text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/gu, (token) =>
    token.startsWith('"') ? token : `"${numbers.put(token)}"`,
  )
  const yaml = stringify(JSON.parse(marked), { lineWidth: 0, aliasDuplicateObjects: false })
  return numbers.restore(yaml)
}
