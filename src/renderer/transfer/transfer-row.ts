/**
 * Keys on their way to and from files.
 *
 * A format is a pair of pure functions: rows to text in pieces, text to rows with the lines that could not be read. Formats
 * that are made of text carry bytes all the same: what is no UTF-8 goes as base64 or as escapes, and says so.
 *
 * Example: the key `/a` with the value `ff 00` as JSON Lines is `{"key":"/a","valueBase64":"/wA="}`.
 */

/** One key with what a file may say about it. */
export interface TransferRow {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly createRevision?: number
  readonly modRevision?: number
  readonly version?: number
  /** Seconds that its lease had left; absent or 0: no lease. */
  readonly leaseTtlSeconds?: number
}

/** A line of a file that could not be read, counted from 1. */
export interface TransferProblem {
  readonly line: number
  /** Name of the reason under `transfer.problems`. */
  readonly reason:
    | 'noKey'
    | 'noValue'
    | 'emptyKey'
    | 'badBase64'
    | 'badLease'
    | 'notJson'
    | 'notList'
    | 'notYaml'
    | 'noAssignment'
    | 'openQuote'
    | 'notAPut'
    | 'shellSyntax'
    | 'tooManyWords'
  /** More about it, perhaps text of the file: shown as text only. */
  readonly detail?: string
}

/** What a file holds. */
export interface ParsedTransfer {
  readonly rows: readonly TransferRow[]
  readonly problems: readonly TransferProblem[]
}

/** A format as it is written. */
export interface TransferWriter {
  /** Text before the first row. */
  readonly head: (about: { readonly revision: number }) => string
  readonly row: (row: TransferRow, index: number) => string
  /** Text behind the last row. */
  readonly tail: (rowCount: number) => string
}

/** Every format that is written. */
export const transferFormats = ['json', 'jsonl', 'yaml', 'dotenv', 'etcdctl'] as const
export type TransferFormat = (typeof transferFormats)[number]

/** Every format that is read: `pairs` are plain lines `KEY=value`. */
export const importFormats = [...transferFormats, 'pairs'] as const
export type ImportFormat = (typeof importFormats)[number]
