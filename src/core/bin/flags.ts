/**
 * Command line and environment, by Go's rules and etcd's precedence, into one text per flag.
 *
 * `--name=value`, `--name value` and `-name=value` are the same; a boolean stands alone or has `=value`; the last of two
 * wins; `--` and the first word without a dash end the flags. Every flag has a variable, `ETCD_` and its name in upper
 * case. What fails here ends the program with code 2 where Go's flag package would, otherwise with 1.
 */
import { parseListenUrl } from '../rpc/listen-url.ts'
import { flagTable, formerFlagNames, type FlagDescription } from './flag-table.ts'
import { parseBoolean, parseDurationMs, parseInteger } from './flag-values.ts'

/** A command line or an environment that cannot be used. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  /** 2: it does not parse; 1: it parses and makes no sense. */
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2) {
    super(message)
    this.exitCode = exitCode
  }
}

export interface ParsedFlags {
  /** Text of every flag, defaults filled in. */
  readonly texts: ReadonlyMap<string, string>
  /** Flags that were given, on the command line or in the environment. */
  readonly given: ReadonlySet<string>
  /** Variables that look like flags and are none. */
  readonly unknownVariables: readonly string[]
  /** The file that the settings were read from, with its keys that are no settings; else undefined. */
  readonly file?: { readonly path: string; readonly unknownKeys: readonly string[] }
  readonly wantsHelp: boolean
  readonly wantsVersion: boolean
}

/** Variables that are not flags: ours, and those that etcd reads elsewhere. */
const otherVariables = new Set([
  'ETCD_UNSUPPORTED_ARCH',
  'ETCD_QUORATE_REPORTED_VERSION',
  // Of etcd's verification of itself in tests.
  'ETCD_VERIFY',
])

/**
 * @param words  the command line without program and script
 * @throws UsageError
 */
export function parseFlags(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ParsedFlags {
  const line = readWords(words)
  const { wantsHelp, wantsVersion } = line
  const texts = defaultTexts()
  const given = new Set<string>()
  const unknownVariables: string[] = []
  // Neither answer depends on anything else being right.
  if (!wantsHelp && !wantsVersion) {
    for (const [variable, text] of Object.entries(environment)) {
      if (!variable.startsWith('ETCD_') || text === undefined) continue
      if (otherVariables.has(variable)) continue
      const name = flagNameOf(variable)
      if (name === undefined) {
        unknownVariables.push(variable)
        continue
      }
      if (line.texts.has(name)) {
        throw new UsageError(
          `conflicting environment variable "${variable}" is shadowed by corresponding command-line flag (either unset environment variable or disable flag)`,
          1,
        )
      }
      if (text === '') continue
      checkValue(flagOf(name), text, { isVariable: true, source: variable })
      texts.set(name, text)
      given.add(name)
    }
  }
  for (const [name, text] of line.texts) {
    texts.set(name, text)
    given.add(name)
  }
  return { texts, given, unknownVariables: unknownVariables.sort(), wantsHelp, wantsVersion }
}

/** Every flag's text when nothing is set. */
export function defaultTexts(): Map<string, string> {
  return new Map([...flagTable.values()].map((flag) => [flag.name, flag.defaultText]))
}

/** The list of flags as `--help` prints it. */
export function describeFlags(): string {
  const lines = [...flagTable.values()].map(({ name, defaultText, help, support }) => {
    const value = defaultText === '' ? "''" : `'${defaultText}'`
    const note =
      support === 'fixed'
        ? ' (no other value is supported)'
        : support === 'idle'
          ? ' (accepted, and without effect)'
          : ''
    return `  --${name} ${value}\n    ${help}${note}`
  })
  return `Flags:\n\n${lines.join('\n')}\n`
}

/** How the program is called. */
export const usageText = `Usage:

  quorated [flags]
    Start a store node.

  quorated --config-file PATH
    Start a store node with the settings of a file. All other flags and variables are ignored then.

  quorated snapshot status|restore | defrag | hashkv | version
    Work on files; each tells more with --help.

  quorated --version
    Show the version.

  quorated -h | --help
    Show all flags.
`

interface CommandLine {
  readonly texts: ReadonlyMap<string, string>
  readonly wantsHelp: boolean
  readonly wantsVersion: boolean
}

function readWords(words: readonly string[]): CommandLine {
  const texts = new Map<string, string>()
  let wantsHelp = false
  let wantsVersion = false
  for (let position = 0; position < words.length; position++) {
    const word = words[position] ?? ''
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(word)
    if (match === null) {
      refuseWord(word, words[position + 1])
      break
    }
    const [, givenName = '', inlineText] = match
    if (givenName === 'h' || givenName === 'help') {
      wantsHelp = true
      break
    }
    if (givenName === 'version') {
      wantsVersion = parseBoolean(inlineText ?? 'true') ?? false
      continue
    }
    const flag = findFlag(givenName)
    let text = inlineText
    if (flag.kind === 'boolean') text ??= 'true'
    text ??= words[++position]
    if (text === undefined) throw new UsageError(`flag needs an argument: -${givenName}`, 2)
    checkValue(flag, text, { isVariable: false, source: givenName })
    texts.set(flag.name, text)
  }
  return { texts, wantsHelp, wantsVersion }
}

/** A word that is no flag. `--` alone may stand at the end. */
function refuseWord(word: string, next: string | undefined): void {
  if (word === '--') {
    if (next !== undefined) throw new UsageError(`'${next}' is not a valid flag`, 1)
    return
  }
  if (word.startsWith('-') && word !== '-') throw new UsageError(`bad flag syntax: ${word}`, 2)
  throw new UsageError(`'${word}' is not a valid flag`, 1)
}

function findFlag(givenName: string): FlagDescription {
  const flag = flagTable.get(formerFlagNames.get(givenName) ?? givenName)
  if (flag === undefined) {
    throw new UsageError(`flag provided but not defined: -${givenName}`, 2)
  }
  return flag
}

function flagOf(name: string): FlagDescription {
  const flag = flagTable.get(name)
  if (flag === undefined) throw new UsageError(`flag provided but not defined: -${name}`, 2)
  return flag
}

function flagNameOf(variable: string): string | undefined {
  const name = variable.slice('ETCD_'.length).toLowerCase().replaceAll('_', '-')
  const current = formerFlagNames.get(name) ?? name
  return flagTable.has(current) ? current : undefined
}

function checkValue(
  flag: FlagDescription,
  text: string,
  origin: { readonly isVariable: boolean; readonly source: string },
): void {
  const problem = problemOfValue(flag, text)
  if (problem === undefined) return
  const where = origin.isVariable
    ? `environment variable ${origin.source}`
    : `flag -${origin.source}`
  throw new UsageError(`invalid value "${text}" for ${where}: ${problem}`, 2)
}

/** Why a flag cannot have this text; undefined when it can. */
export function problemOfValue(flag: FlagDescription, text: string): string | undefined {
  switch (flag.kind) {
    case 'boolean':
      return parseBoolean(text) === undefined ? 'parse error' : undefined
    case 'integer':
      return parseInteger(text) === undefined ? 'parse error' : undefined
    case 'duration':
      return parseDurationMs(text) === undefined ? 'parse error' : undefined
    case 'urls':
      return text === '' ? undefined : problemOfUrls(text)
    case 'string':
      if (flag.name === 'initial-cluster-state' && text !== 'new' && text !== 'existing') {
        return 'must be "new" or "existing"'
      }
      return undefined
  }
}

function problemOfUrls(text: string): string | undefined {
  try {
    for (const url of text.split(',')) parseListenUrl(url)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
