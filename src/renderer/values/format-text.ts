/** Lays text out in its language. What cannot be laid out without losing something is left as it is. */

import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser'
import { parseAllDocuments, visit, type Document } from 'yaml'
import { ExactNumbers } from './exact-numbers.ts'
import { layOutJson } from './json-layout.ts'
import type { TextLanguage } from './text-language.ts'

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
  return { kind: 'formatted', text: /\n$/u.test(text) ? body + end : body }
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

const xmlOptions = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  commentPropName: '#comment',
  cdataPropName: '#cdata',
} as const

function formatXml(text: string): FormatReply {
  if (XMLValidator.validate(text) !== true) return { kind: 'refused', reason: 'invalid' }
  // White space between words and elements may mean something, and a document type is not kept by the parser.
  const tree = new XMLParser({ ...xmlOptions, trimValues: false }).parse(text) as readonly XmlNode[]
  if (tree.some(isMixed) || /<!DOCTYPE/iu.test(text) || /xml:space/u.test(text))
    return { kind: 'refused', reason: 'wouldChange' }
  const trimmed = new XMLParser({ ...xmlOptions, trimValues: true }).parse(text) as XmlNode[]
  const built = new XMLBuilder({
    ...xmlOptions,
    format: true,
    indentBy: '  ',
    suppressEmptyNode: true,
    suppressBooleanAttributes: false,
  }).build(trimmed) as string
  return { kind: 'formatted', text: built.trim() }
}

type XmlNode = Readonly<Record<string, unknown>>

function isMixed(node: XmlNode): boolean {
  return Object.entries(node).some(([name, children]) => {
    if (!Array.isArray(children) || !/^[^:#]/u.test(name)) return false
    const nodes = children as readonly XmlNode[]
    const words = nodes.filter((child) => hasWords(child['#text']))
    const others = nodes.filter((child) => child['#text'] === undefined)
    const isPadded = words.some((child) => /^\s|\s$/u.test(String(child['#text'])))
    return (words.length > 0 && (others.length > 0 || isPadded)) || others.some(isMixed)
  })
}

function hasWords(text: unknown): boolean {
  return typeof text === 'string' && text.trim() !== ''
}
