/**
 * Two people wrote one value. What only one of them changed is taken over; what both changed is a conflict that is chosen.
 *
 * Lines are compared first, because that keeps the text as it was laid out. Where that leaves conflicts (or breaks the JSON)
 * and all three are JSON, the documents are compared field by field instead, and only fields that both changed are left.
 *
 * Example: base `{"a":1,"b":1}`, mine `{"a":2,"b":1}`, theirs `{"a":1,"b":3}`: one line with a conflict, but no field; the
 * result is `{"a":2,"b":3}`.
 */

import { diff3Merge } from 'node-diff3'

/** Which side of a conflict is taken; `both`: mine, then theirs, where lines are merged. */
export type MergeChoice = 'mine' | 'theirs' | 'both'

/** What both changed, each in its own way. Texts are empty where there is nothing. */
export interface MergeConflict {
  /** Path of a field, or the number of the first line in my text. */
  readonly place: { readonly path: string } | { readonly line: number }
  readonly base: string
  readonly mine: string
  readonly theirs: string
}

/** A merge and its open questions. */
export interface Merge {
  readonly way: 'lines' | 'fields'
  readonly conflicts: readonly MergeConflict[]
  /** The text for one choice a conflict; missing choices take mine. */
  readonly textFor: (choices: readonly (MergeChoice | undefined)[]) => string
}

/** The three texts of a merge. */
export interface MergeTexts {
  readonly base: string
  readonly mine: string
  readonly theirs: string
}

/** Merges three texts. */
export function mergeTexts(texts: MergeTexts): Merge {
  const byLines = mergeLines(texts)
  const documents = documentsOf(texts)
  if (documents === undefined) return byLines
  if (byLines.conflicts.length === 0 && isJson(byLines.textFor([]))) return byLines
  return mergeFields(documents, texts.mine)
}

type LinePart =
  | { readonly kind: 'same'; readonly text: string }
  | { readonly kind: 'conflict'; readonly conflict: MergeConflict }

function mergeLines({ base, mine, theirs }: MergeTexts): Merge {
  const parts: LinePart[] = []
  let line = 1
  const regions = diff3Merge(linesOf(mine), linesOf(base), linesOf(theirs), {
    excludeFalseConflicts: true,
  })
  for (const { ok, conflict } of regions) {
    if (ok !== undefined) parts.push({ kind: 'same', text: ok.join('') })
    if (conflict !== undefined) {
      const [a, o, b] = [conflict.a.join(''), conflict.o.join(''), conflict.b.join('')]
      const place = { line }
      parts.push({ kind: 'conflict', conflict: { place, base: o, mine: a, theirs: b } })
    }
    line += (ok ?? conflict?.a ?? []).length
  }
  return {
    way: 'lines',
    conflicts: parts.flatMap((part) => (part.kind === 'conflict' ? [part.conflict] : [])),
    textFor: (choices) => {
      let next = 0
      return parts
        .map((part) =>
          part.kind === 'same' ? part.text : chosenLines(part.conflict, choices[next++]),
        )
        .join('')
    },
  }
}

function chosenLines(conflict: MergeConflict, choice: MergeChoice = 'mine'): string {
  if (choice !== 'both') return conflict[choice]
  const isJoined = conflict.mine === '' || conflict.mine.endsWith('\n')
  return `${conflict.mine}${isJoined ? '' : '\n'}${conflict.theirs}`
}

/** Lines with their ends, so that joining them gives the very text. */
function linesOf(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/u)
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

interface Documents {
  readonly base: Json
  readonly mine: Json
  readonly theirs: Json
}

/** A field of the three; undefined where it does not exist. */
interface Sides {
  readonly base: Json | undefined
  readonly mine: Json | undefined
  readonly theirs: Json | undefined
}

/** What a field becomes: a value, an object of fields, or a question by its position. */
type Field =
  | { readonly kind: 'value'; readonly value: Json | undefined }
  | { readonly kind: 'object'; readonly fields: readonly (readonly [string, Field])[] }
  | { readonly kind: 'question'; readonly index: number; readonly sides: Sides }

function mergeFields(documents: Documents, layout: string): Merge {
  const conflicts: MergeConflict[] = []
  const root = mergedField(documents, '', conflicts)
  const indent = /^[[{]\r?\n([ \t]+)/u.exec(layout)?.[1]
  const lineEnd = layout.includes('\r\n') ? '\r\n' : '\n'
  const ending = /\s*$/u.exec(layout)?.[0] ?? ''
  return {
    way: 'fields',
    conflicts,
    textFor: (choices) => {
      const text = JSON.stringify(valueOf(root, choices) ?? null, null, indent)
      return `${text.replaceAll('\n', lineEnd)}${ending}`
    },
  }
}

function mergedField(sides: Sides, path: string, conflicts: MergeConflict[]): Field {
  const { base, mine, theirs } = sides
  if (isSame(mine, theirs) || isSame(theirs, base)) return { kind: 'value', value: mine }
  if (isSame(mine, base)) return { kind: 'value', value: theirs }
  if (isObject(mine) && isObject(theirs)) {
    const known = isObject(base) ? base : {}
    const names = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])]
    const fields = names.map((name): readonly [string, Field] => {
      const inner = { base: own(known, name), mine: own(mine, name), theirs: own(theirs, name) }
      return [name, mergedField(inner, `${path}/${name}`, conflicts)]
    })
    return { kind: 'object', fields }
  }
  conflicts.push({
    place: { path: path === '' ? '/' : path },
    ...{ base: shown(base), mine: shown(mine), theirs: shown(theirs) },
  })
  return { kind: 'question', index: conflicts.length - 1, sides }
}

function valueOf(field: Field, choices: readonly (MergeChoice | undefined)[]): Json | undefined {
  if (field.kind === 'value') return field.value
  if (field.kind === 'question') {
    return choices[field.index] === 'theirs' ? field.sides.theirs : field.sides.mine
  }
  const entries = field.fields.flatMap(([name, inner]): [string, Json][] => {
    const value = valueOf(inner, choices)
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(entries)
}

function documentsOf({ base, mine, theirs }: MergeTexts): Documents | undefined {
  const documents = [base, mine, theirs].map(findDocument)
  const [baseJson, mineJson, theirsJson] = documents
  if (baseJson === undefined || mineJson === undefined || theirsJson === undefined) return undefined
  return { base: baseJson, mine: mineJson, theirs: theirsJson }
}

/** The document of a text, if writing it again loses nothing: no wide numbers, no name twice, no order of its own. */
function findDocument(text: string): Json | undefined {
  try {
    const document = JSON.parse(text) as Json
    const isFaithful =
      JSON.stringify(document) === text.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/gu, '$1')
    return isFaithful && typeof document === 'object' ? document : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function isJson(text: string): boolean {
  return findDocument(text) !== undefined
}

function isObject(value: Json | undefined): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function own(object: Readonly<Record<string, Json>>, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function isSame(left: Json | undefined, right: Json | undefined): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right)
}

function shown(value: Json | undefined): string {
  return value === undefined ? '' : JSON.stringify(value, null, 2)
}
