/** What a change of a value was, in a few words: the one member that differs in JSON, or how the size changed. */

import { findText } from '../format/bytes-text.ts'

/** The difference of two values, the older first. */
export type ChangeSummary =
  | { readonly kind: 'same' }
  /** One member changed; both values are short texts. */
  | {
      readonly kind: 'member'
      readonly path: string
      readonly before: string
      readonly after: string
    }
  | { readonly kind: 'added'; readonly path: string }
  | { readonly kind: 'removed'; readonly path: string }
  | { readonly kind: 'changed'; readonly path: string }
  /** Several members changed, the first of them by its path. */
  | { readonly kind: 'members'; readonly path: string; readonly count: number }
  /** The whole value is short text. */
  | { readonly kind: 'text'; readonly before: string; readonly after: string }
  | { readonly kind: 'size'; readonly byBytes: number }

/** Larger values are told by their size: comparing them would hold the window for something that is read in passing. */
export const summaryBytesMax = 64 * 1024
const shortCharsMax = 24
const differencesMax = 100

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

interface Difference {
  readonly kind: 'added' | 'removed' | 'changed'
  readonly path: readonly string[]
  readonly before?: Json | undefined
  readonly after?: Json | undefined
}

/** Compares two values of one key. */
export function summaryOf(before: Uint8Array, after: Uint8Array): ChangeSummary {
  const bySize: ChangeSummary = { kind: 'size', byBytes: after.length - before.length }
  if (Math.max(before.length, after.length) > summaryBytesMax) return bySize
  const left = findText(before)
  const right = findText(after)
  if (left === undefined || right === undefined) return bySize
  if (left === right) return { kind: 'same' }
  const json = [findJson(left), findJson(right)] as const
  if (json[0] !== undefined && json[1] !== undefined) {
    return summaryOfDifferences(differencesOf(json[0], json[1]))
  }
  const isShort = (text: string): boolean => text.length <= shortCharsMax && !/[\p{Cc}]/u.test(text)
  return isShort(left) && isShort(right) ? { kind: 'text', before: left, after: right } : bySize
}

function summaryOfDifferences(differences: readonly Difference[]): ChangeSummary {
  const [first] = differences
  if (first === undefined) return { kind: 'same' }
  const path = pathText(first.path)
  if (differences.length > 1) return { kind: 'members', path, count: differences.length }
  if (first.kind !== 'changed') return { kind: first.kind, path }
  const before = findShort(first.before)
  const after = findShort(first.after)
  if (before === undefined || after === undefined) return { kind: 'changed', path }
  return { kind: 'member', path, before, after }
}

/** Every place that differs, in the order of the members. Members of objects are matched by name, of lists by place. */
function differencesOf(before: Json, after: Json): readonly Difference[] {
  const found: Difference[] = []
  const compare = (
    left: Json | undefined,
    right: Json | undefined,
    path: readonly string[],
  ): void => {
    if (found.length >= differencesMax) return
    if (left === undefined) found.push({ kind: 'added', path, after: right })
    else if (right === undefined) found.push({ kind: 'removed', path, before: left })
    else if (isList(left) && isList(right)) {
      for (let at = 0; at < Math.max(left.length, right.length); at++) {
        compare(left[at], right[at], [...path, `[${String(at)}]`])
      }
    } else if (isObject(left) && isObject(right)) {
      for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
        compare(left[name], right[name], [...path, name])
      }
    } else if (left !== right) found.push({ kind: 'changed', path, before: left, after: right })
  }
  compare(before, after, [])
  return found
}

/** The last two names say enough in a narrow list. */
function pathText(path: readonly string[]): string {
  const isPlace = path.at(-1)?.startsWith('[') ?? false
  return path.slice(isPlace ? -2 : -1).join('')
}

function findShort(value: Json | undefined): string | undefined {
  if (value === undefined || (typeof value === 'object' && value !== null)) return undefined
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length <= shortCharsMax ? text : undefined
}

function findJson(text: string): Json | undefined {
  if (!/^\s*[[{]/u.test(text)) return undefined
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function isObject(value: Json): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
