/** Lays text out in its language. What cannot be laid out without losing something is left as it is. */

import { parseAllDocuments, visit, type Document } from 'yaml'
import { ExactNumbers } from './exact-numbers.ts'
import { layOutJson } from './json-layout.ts'
import type { TextLanguage } from './text-language.ts'
import { findProblems } from './text-problems.ts'
import { layOutXml } from './xml-layout.ts'

/** The text laid out, or why it was left alone. */
export type FormatReply =
  | { readonly kind: 'formatted'; readonly text: string }
  | { readonly kind: 'refused'; readonly reason: 'invalid' | 'wouldChange' | 'unsupported' }

/** Lays a text out; line ends and the final newline stay as they were. */
export function formatText(language: TextLanguage, text: string): FormatReply {
  const end = text.includes('\r\n') ? '\r\n' : '\n'
  const reply = formatLines(language, text)
  if (reply.kind === 'refused') return reply
  const body = reply.text.replace(/(?:\r?\n)+$/u, '').replaceAll(/\r?\n/gu, end)
  return { kind: 'formatted', text: text.endsWith('\n') ? body + end : body }
}

function formatLines(language: TextLanguage, text: string): FormatReply {
  if (language === 'json') {
    const laidOut = layOutJson(text)
    return laidOut === undefined
      ? { kind: 'refused', reason: 'invalid' }
      : { kind: 'formatted', text: laidOut }
  }
  if (language === 'yaml') return formatYaml(text)
  if (language === 'xml') return formatXml(text)
  return { kind: 'refused', reason: 'unsupported' }
}

function formatYaml(text: string): FormatReply {
  const documents = yamlDocuments(text)
  if (documents.some((document) => document.errors.length > 0))
    return { kind: 'refused', reason: 'invalid' }
  const contentBefore = JSON.stringify(documents.map(contentOf), withBigInts)
  const numbers = new ExactNumbers(text)
  for (const document of documents)
    visit(document, {
      Scalar: (_key, node) => {
        const isNumber = typeof node.value === 'number' || typeof node.value === 'bigint'
        if (isNumber && node.source !== undefined) node.value = numbers.put(node.source)
      },
    })
  const formatted = numbers.restore(
    documents.map((document) => document.toString({ lineWidth: 0 })).join(''),
  )
  const contentAfter = JSON.stringify(yamlDocuments(formatted).map(contentOf), withBigInts)
  return contentBefore === contentAfter
    ? { kind: 'formatted', text: formatted }
    : { kind: 'refused', reason: 'wouldChange' }
}

function yamlDocuments(text: string): readonly Document[] {
  const parsed = parseAllDocuments(text, { intAsBigInt: true, keepSourceTokens: false })
  return Array.isArray(parsed) ? (parsed as Document[]) : []
}

function contentOf(document: Document): unknown {
  return document.toJS({ maxAliasCount: 1_000 })
}

function withBigInts(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `bigint ${String(value)}` : value
}

function formatXml(text: string): FormatReply {
  if (findProblems('xml', text).length > 0) return { kind: 'refused', reason: 'invalid' }
  const laidOut = layOutXml(text)
  return laidOut === undefined
    ? { kind: 'refused', reason: 'wouldChange' }
    : { kind: 'formatted', text: laidOut }
}
