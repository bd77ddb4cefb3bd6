/** Which format a text has, and its rows. */

import { commandWriter, parseCommands } from './command-format.ts'
import { dotenvWriter, parseDotenv, parsePairs } from './dotenv-format.ts'
import { jsonLinesWriter, jsonWriter, parseJson, parseJsonLines } from './json-format.ts'
import { parseYaml, yamlWriter } from './yaml-format.ts'
import type {
  ImportFormat,
  ParsedTransfer,
  TransferFormat,
  TransferWriter,
} from './transfer-row.ts'

const writers: Readonly<Record<TransferFormat, TransferWriter>> = {
  json: jsonWriter,
  jsonl: jsonLinesWriter,
  yaml: yamlWriter,
  dotenv: dotenvWriter,
  etcdctl: commandWriter,
}

const parsers: Readonly<Record<ImportFormat, (text: string) => ParsedTransfer>> = {
  json: parseJson,
  jsonl: parseJsonLines,
  yaml: parseYaml,
  dotenv: parseDotenv,
  etcdctl: parseCommands,
  pairs: parsePairs,
}

/** How a format is written. */
export function writerOf(format: TransferFormat): TransferWriter {
  return writers[format]
}

/** The rows of a text, and the lines that could not be read. */
export function parseTransfer(text: string, format: ImportFormat): ParsedTransfer {
  // A byte order mark is no part of the first key.
  return parsers[format](text.startsWith('\ufeff') ? text.slice(1) : text)
}

/** The format that a text looks like. */
export function guessFormat(text: string): ImportFormat {
  const lines = text.split('\n', 40).map((line) => line.trim())
  const first = lines.find((line) => line !== '' && !line.startsWith('#')) ?? ''
  const isCommand = /^(?:[A-Z_]+=\S* )*etcdctl(?:\s|$)|^printf .*etcdctl/u.test(first)
  if (isCommand) return 'etcdctl'
  if (first.startsWith('{') && first.endsWith('}') && isJson(first)) {
    return lines.filter((line) => line !== '').length > 1 || isRowLine(first) ? 'jsonl' : 'json'
  }
  if (first.startsWith('{') || first.startsWith('[')) return 'json'
  if (/^- |^\S+:(?:\s|$)|^---/u.test(first)) return 'yaml'
  return /^(?:export\s+)?[A-Za-z_][\w.-]*\s*=/u.test(first) ? 'dotenv' : 'pairs'
}

/** What a file of a format is called at its end, without a dot. */
export function extensionOf(format: TransferFormat): string {
  const extensions = { json: 'json', jsonl: 'jsonl', yaml: 'yaml', dotenv: 'env', etcdctl: 'sh' }
  return extensions[format]
}

function isRowLine(text: string): boolean {
  return /^\{"key(?:Base64)?":/u.test(text)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}
