/** Tells the languages of text apart by their first lines. */

import { cutAtCharacter, type TextFacts } from './text-facts.ts'
import type { TextKind } from './value-kind.ts'

/** A text's kind; base64 with the beginning of what it holds. */
export type FoundTextKind =
  | { readonly kind: Exclude<TextKind, 'base64'> }
  | {
      readonly kind: 'base64'
      readonly decodedHead: Uint8Array
      readonly isCertain: boolean
      /** Of capital and small letters and digits, as no word is. */
      readonly isMixed: boolean
    }

/** Lines that are looked at. */
const linesMax = 60
/** A token longer than this is no token that somebody signs in with. */
const jwtUnitsMax = 16 * 1024
/** Characters of base64 that are decoded to see what they hold; a multiple of four. */
const decodeUnitsMax = 16 * 1024
const base64UnitsMin = 16

/** Recognises the language of a text. */
export function textKindOf(facts: TextFacts): FoundTextKind {
  const { head } = facts
  const first = head.trimStart().charAt(0)
  if (first === '{' || first === '[') {
    if (looksLikeJson(facts)) return { kind: 'json' }
    if (isMeantAsJson(facts)) return { kind: 'badJson' }
  }
  if (first === '<') {
    const markup = findMarkupKind(facts)
    if (markup !== undefined) return { kind: markup }
  }
  if (/^#!.*\b(?:ba|da|k|z)?sh\b/u.test(head)) return { kind: 'shell' }
  if (isJwt(facts)) return { kind: 'jwt' }
  const base64 = findBase64(facts)
  if (base64 !== undefined) return base64
  const kind = lineKindOf(head)
  return { kind: kind === 'plain' && isShell(head) ? 'shell' : kind }
}

/** It begins as JSON does, and goes wrong later; lines that are JSON one by one are a format of their own. */
function isMeantAsJson({ whole }: TextFacts): boolean {
  if (whole === undefined) return false
  const begins = /^\s*(?:\{\s*"(?:[^"\\\n]|\\.)*"\s*:|\[\s*(?:\{\s*"|"(?:[^"\\\n]|\\.)*"\s*,))/u
  if (!begins.test(whole)) return false
  const [line = ''] = whole.trimStart().split('\n', 1)
  return !looksLikeJson({ head: line, whole: line, sizeBytes: line.length })
}

function looksLikeJson({ head, whole }: TextFacts): boolean {
  if (whole !== undefined) {
    try {
      JSON.parse(whole)
      return true
    } catch (error) {
      if (error instanceof SyntaxError) return false
      throw error
    }
  }
  return /^\s*(?:\{\s*(?:"|\})|\[\s*(?:["{[\d\-\]]|true|false|null))/u.test(head)
}

function findMarkupKind({ head, whole }: TextFacts): 'xml' | 'svg' | undefined {
  const start = head.replace(
    /^\s*(?:<\?xml[^>]*\?>|<!--[\s\S]*?-->|<!DOCTYPE\s+svg[^>]*>|\s+)*/u,
    '',
  )
  const root = /^<([A-Za-z_][\w.:-]*)(?=[\s/>])/u.exec(start)?.[1]
  if (root === undefined || /^html$/iu.test(root)) return undefined
  if (whole !== undefined && !whole.trimEnd().endsWith('>')) return undefined
  return root === 'svg' || root.endsWith(':svg') ? 'svg' : 'xml'
}

/** Three parts of base64url, of which the first is a JSON object that names an algorithm. */
function isJwt({ whole }: TextFacts): boolean {
  if (whole === undefined || whole.length > jwtUnitsMax) return false
  const header = /^([\w-]{10,})\.[\w-]{2,}\.[\w-]*$/u.exec(whole.trim())?.[1]
  if (header === undefined) return false
  const text = decodedLatin(header)
  return text !== undefined && text.startsWith('{') && text.includes('"alg"')
}

function findBase64({ head, whole, sizeBytes }: TextFacts): FoundTextKind | undefined {
  const body = (whole ?? head).trim()
  if (body.length < base64UnitsMin || !/^[A-Za-z0-9+/_=\r\n-]+$/u.test(body)) return undefined
  const letters = body.replaceAll(/\r?\n/gu, '')
  const isWholeBody = sizeBytes <= letters.length * 2
  if (!isWellFormed(letters, isWholeBody)) return undefined
  const units = Math.min(letters.length, decodeUnitsMax)
  const isCut = units < letters.length
  const latin = decodedLatin(letters.slice(0, isCut ? units - (units % 4) : units))
  if (latin === undefined) return undefined
  const decoded = Uint8Array.from(latin, (unit) => unit.charCodeAt(0))
  const isCertain =
    letters.length >= 40 &&
    letters.length % 4 === 0 &&
    /[A-Z]/u.test(letters) &&
    /[a-z]/u.test(letters) &&
    /\d/u.test(letters) &&
    /[+/]|={1,2}$/u.test(letters) &&
    !/^[^+]*\/[^+]*\/[^+=]*$/u.test(letters)
  return {
    kind: 'base64',
    decodedHead: isCut ? cutAtCharacter(decoded) : decoded,
    isCertain,
    isMixed: /[A-Z]/u.test(letters) && /[a-z]/u.test(letters) && /[\d+/=]/u.test(letters),
  }
}

/** One alphabet of the two, padding only at the end, and a length that whole bytes can have. */
function isWellFormed(letters: string, isWholeBody: boolean): boolean {
  const isUrl = /[-_]/u.test(letters)
  if (isUrl && /[+/]/u.test(letters)) return false
  const bare = letters.replace(/={1,2}$/u, '')
  if (bare.includes('=')) return false
  if (!isWholeBody) return true
  if (bare.length !== letters.length && letters.length % 4 !== 0) return false
  return isUrl ? bare.length % 4 !== 1 : letters.length % 4 === 0
}

function decodedLatin(letters: string): string | undefined {
  const bare = letters.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/u, '')
  try {
    return atob(bare)
  } catch (error) {
    if (error instanceof DOMException) return undefined
    throw error
  }
}

/** How many of the lines speak for each language. */
interface LineCounts {
  all: number
  sections: number
  quoted: number
  assigned: number
  constants: number
  mapped: number
  listed: number
  continued: number
}

const tomlValue =
  /^\s*[\w.\-"']+\s*=\s*(?:"|'|\[|\{|[+-]?(?:\d|inf\b|nan\b)|true\s*(?:#|$)|false\s*(?:#|$))/u

function lineKindOf(head: string): Exclude<TextKind, 'base64'> {
  if (/^(?:%YAML[^\n]*\n)?---\s*(?:\n|$)/u.test(head)) return 'yaml'
  const counts = countLines(head)
  const { all, sections, quoted, assigned, constants, mapped, listed, continued } = counts
  if (all === 0) return 'plain'
  if (assigned + sections === all && assigned > 0) {
    if (sections === 0 && constants === all) return 'dotenv'
    return quoted === assigned && quoted > 0 ? 'toml' : sections > 0 ? 'ini' : 'plain'
  }
  // Arrays over several lines are TOML's own.
  if (quoted > 0 && quoted === assigned && sections + assigned + continued === all && mapped === 0)
    return 'toml'
  const isYaml = mapped + listed + continued === all && (mapped > 0 || listed > 1) && assigned === 0
  return isYaml ? 'yaml' : 'plain'
}

function countLines(head: string): LineCounts {
  const counts: LineCounts = {
    all: 0,
    sections: 0,
    quoted: 0,
    assigned: 0,
    constants: 0,
    mapped: 0,
    listed: 0,
    continued: 0,
  }
  /** How far in the line stands that a block of text belongs to; undefined outside of blocks. */
  let blockIndent: number | undefined
  for (const whole of head.split('\n', linesMax)) {
    const line = whole.trimEnd()
    const indent = line.length - line.trimStart().length
    if (blockIndent !== undefined && (line === '' || indent > blockIndent)) continue
    blockIndent = isBlockStart(line) ? indent : undefined
    countLine(line, counts)
  }
  return counts
}

/** YAML's sign for lines of text: whatever they look like, they are part of the value. */
function isBlockStart(line: string): boolean {
  return /(?:^\s*(?:-\s+)+|:\s+)(?:[!&]\S+\s+)*[|>](?:[+-]?\d?|\d[+-])(?:\s+#.*)?$/u.test(line)
}

/** Lines that only a script has; two of them, or one beside a command, make a script. */
const shellFrames: readonly RegExp[] = [
  /^\s*set [-+][A-Za-z]+(?:\s|$)/u,
  /^\s*(?:if|elif|while|until)\s.*;\s*(?:then|do)$/u,
  /^\s*(?:then|fi|do|done|esac)(?:\s*[;|>&)].*)?$/u,
  /^\s*for\s+\w+\s+in\s.*$/u,
  /^\s*case\s.+\sin$/u,
  /^\s*(?:function\s+[\w-]+(?:\s*\(\))?|[\w-]+\s*\(\))\s*\{?$/u,
]
const shellCommand =
  /^\s*(?:echo|printf|cd|export|source|exit|return|local|trap|exec|shift|sudo|apt-get|mkdir|chmod|cp|mv|rm|curl|grep|sed|awk|etcdctl|kubectl|docker|systemctl)(?:\s|$)/u

function isShell(head: string): boolean {
  let frames = 0
  let commands = 0
  for (const whole of head.split('\n', linesMax)) {
    const line = whole.trimEnd()
    if (shellFrames.some((frame) => frame.test(line))) frames++
    else if (shellCommand.test(line)) commands++
  }
  return frames > 1 || (frames === 1 && commands > 0)
}

const yamlName = /^\s*(?:- +)*(?:"[^"]*"|'[^']*'|[^\s:#{}[\],&*!|>'"%@`][^:#]*):(?:\s|$)/u

function countLine(line: string, counts: LineCounts): void {
  if (line === '' || /^\s*[#;]/u.test(line)) return
  counts.all++
  // An item of a list may hold anything, an option with its value for one.
  const isItem = /^\s*-(?:\s|$)/u.test(line)
  if (isItem && !yamlName.test(line)) counts.listed++
  else if (/^\s*\[{1,2}[^[\]]+\]{1,2}\s*(?:[#;].*)?$/u.test(line)) counts.sections++
  else if (/^\s*(?:export\s+)?[\w.\-"' ]+?\s*=/u.test(line)) {
    counts.assigned++
    if (tomlValue.test(line)) counts.quoted++
    if (/^(?:export\s+)?[A-Z_][A-Z0-9_]*=/u.test(line)) counts.constants++
  } else if (yamlName.test(line)) counts.mapped++
  else if (/^(?:\s+\S|[\]}])/u.test(line)) counts.continued++
}
