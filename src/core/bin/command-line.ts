/**
 * Command lines of offline commands, by the rules of etcd's offline tools (which differ from those of the server): flags
 * and arguments in any order, `--name value`, `--name=value`, `-w value`; a boolean stands alone or has `=value`.
 */
import { parseBoolean } from './flag-values.ts'

/** A flag of a command; a boolean's default is `false`. */
export interface CommandFlag {
  readonly kind: 'text' | 'boolean'
  readonly defaultText: string
  readonly help: string
}

/** The end of a command that cannot be carried out; the message follows `Error: `. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, exitCode: number, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** Exit codes of etcd's tools. */
export const commandExitCodes = { failure: 1, unsupported: 4, badArguments: 128 } as const

export interface CommandLine {
  readonly words: readonly string[]
  /** Text of every flag, defaults filled in. */
  readonly texts: ReadonlyMap<string, string>
  readonly given: ReadonlySet<string>
}

const shortNames: Readonly<Record<string, string>> = { w: 'write-out', h: 'help' }

/** @throws CommandError  an unknown flag, or one without a value */
export function parseCommandLine(
  words: readonly string[],
  flags: ReadonlyMap<string, CommandFlag>,
): CommandLine {
  const texts = new Map([...flags].map(([name, flag]) => [name, flag.defaultText]))
  const given = new Set<string>()
  const rest: string[] = []
  for (let position = 0; position < words.length; position++) {
    const word = words[position] ?? ''
    if (word === '--') {
      rest.push(...words.slice(position + 1))
      break
    }
    const found = splitFlag(word)
    if (found === undefined) {
      rest.push(word)
      continue
    }
    const flag = flags.get(found.name)
    if (flag === undefined) {
      throw new CommandError(`unknown flag: --${found.name}`, commandExitCodes.failure)
    }
    let { text } = found
    if (text === undefined) {
      text = flag.kind === 'boolean' ? 'true' : words[++position]
      if (text === undefined) {
        throw new CommandError(`flag needs an argument: ${word}`, commandExitCodes.failure)
      }
    }
    if (flag.kind === 'boolean' && parseBoolean(text) === undefined) {
      throw new CommandError(
        `invalid argument "${text}" for "--${found.name}" flag: strconv.ParseBool: parsing "${text}": invalid syntax`,
        commandExitCodes.failure,
      )
    }
    texts.set(found.name, text)
    given.add(found.name)
  }
  return { words: rest, texts, given }
}

/** The list of flags as help prints it. */
export function describeCommandFlags(flags: ReadonlyMap<string, CommandFlag>): string {
  const lines = [...flags].map(([name, flag]) => {
    const kind = flag.kind === 'text' ? ' string' : ''
    const fallback =
      flag.defaultText === '' || flag.kind === 'boolean' ? '' : ` (default "${flag.defaultText}")`
    return `      --${`${name}${kind}`.padEnd(38)}${flag.help}${fallback}`
  })
  return `Flags:\n${lines.join('\n')}\n`
}

function splitFlag(word: string): { readonly name: string; readonly text?: string } | undefined {
  const long = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word)
  if (long !== null) return withText(long[1] ?? '', long[2])
  const short = /^-([a-zA-Z])=?([\s\S]*)$/.exec(word)
  if (short === null) return undefined
  const letter = short[1] ?? ''
  return withText(shortNames[letter] ?? letter, short[2] === '' ? undefined : short[2])
}

function withText(
  name: string,
  text: string | undefined,
): { readonly name: string; readonly text?: string } {
  return text === undefined ? { name } : { name, text }
}
