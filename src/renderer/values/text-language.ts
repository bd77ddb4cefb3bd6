/** Languages in which a text can be shown, and what each of them can do. */

import type { ValueKindName } from './value-kind.ts'

/** Languages of the editor, in the order in which they are offered. */
export const textLanguages = [
  'plaintext',
  'json',
  'yaml',
  'toml',
  'xml',
  'ini',
  'dotenv',
  'shell',
] as const
export type TextLanguage = (typeof textLanguages)[number]

const languageOfKind: Partial<Readonly<Record<ValueKindName, TextLanguage>>> = {
  json: 'json',
  badJson: 'json',
  yaml: 'yaml',
  toml: 'toml',
  xml: 'xml',
  svg: 'xml',
  ini: 'ini',
  dotenv: 'dotenv',
  shell: 'shell',
}

/** The language that fits a kind of value. */
export function languageOf(kind: ValueKindName): TextLanguage {
  return languageOfKind[kind] ?? 'plaintext'
}

/** Whether a language can be laid out without losing anything that was written. */
export function canFormat(language: TextLanguage): boolean {
  return language === 'json' || language === 'yaml' || language === 'xml'
}

/** Whether `findProblems` looks at the language; JSON is checked by the editor's own worker. */
export function canCheck(language: TextLanguage): boolean {
  return language !== 'plaintext' && language !== 'json' && language !== 'shell'
}
