/** What offline commands have in common: flags that all take, and the formats of what they print. */
import {
  commandExitCodes,
  CommandError,
  type CommandFlag,
  type CommandLine,
} from './command-line.ts'

/** A flag with a value. */
export function textFlag(defaultText: string, help: string): CommandFlag {
  return { kind: 'text', defaultText, help }
}

/** A flag that is there or not. */
export function booleanFlag(help: string): CommandFlag {
  return { kind: 'boolean', defaultText: 'false', help }
}

/** Of every command. */
export const commonFlags: readonly (readonly [string, CommandFlag])[] = [
  ['help', booleanFlag('help for this command')],
  ['write-out', textFlag('simple', 'set the output format (fields, json, simple, table)')],
]

/** One result in each of the formats, with the end of its last line. */
export interface Printers<Result> {
  simple(result: Result): string
  json(result: Result): string
  fields(result: Result): string
  table(result: Result): string
}

/** How a command line wants a result to be printed. @throws CommandError  in no way that there is */
export function printerOf<Result>(
  printers: Printers<Result>,
  line: CommandLine,
): (result: Result) => string {
  const format = line.texts.get('write-out') ?? ''
  switch (format) {
    case 'simple':
    case 'json':
    case 'fields':
    case 'table':
      return (result) => printers[format](result)
    case 'protobuf':
      throw new CommandError(
        'protobuf not supported as output format',
        commandExitCodes.unsupported,
      )
    default:
      throw new CommandError('unsupported output format', commandExitCodes.unsupported)
  }
}

/** Headings in the middle, cells to the right. */
export function tableOf(headings: readonly string[], cells: readonly string[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, cells[column]?.length ?? 0),
  )
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+\n`
  const row = (texts: readonly string[]): string =>
    `|${texts.map((each) => ` ${each} `).join('|')}|\n`
  const middle = (each: string, width: number): string =>
    each.padStart(each.length + Math.floor((width - each.length) / 2)).padEnd(width)
  return [
    rule,
    row(headings.map((heading, column) => middle(heading.toUpperCase(), widths[column] ?? 0))),
    rule,
    row(cells.map((cell, column) => cell.padStart(widths[column] ?? 0))),
    rule,
  ].join('')
}
