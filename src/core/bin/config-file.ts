/**
 * Settings from a file instead of flags and variables: `--config-file`.
 *
 * YAML, and so JSON too. The keys are etcd's: names of flags in any case, except that TLS stands in two records and socket
 * options in one. Durations are nanoseconds. What the file does not set has its default; flags and variables do not count.
 *
 * @see etcd v3 API, "Server process"
 */
import { readFile } from 'node:fs/promises'
import { flagTable, formerFlagNames, type FlagDescription } from './flag-table.ts'
import { defaultTexts, problemOfValue, UsageError, type ParsedFlags } from './flags.ts'

/** Records within the file: the flag that each of their keys stands for. */
const sections: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  [
    'client-transport-security',
    new Map([
      ['cert-file', 'cert-file'],
      ['key-file', 'key-file'],
      ['client-cert-file', 'client-cert-file'],
      ['client-key-file', 'client-key-file'],
      ['client-cert-auth', 'client-cert-auth'],
      ['trusted-ca-file', 'trusted-ca-file'],
      ['auto-tls', 'auto-tls'],
      ['allowed-hostname', 'client-cert-allowed-hostname'],
      ['allowed-hostnames', 'client-cert-allowed-hostname'],
    ]),
  ],
  [
    'peer-transport-security',
    new Map([
      ['cert-file', 'peer-cert-file'],
      ['key-file', 'peer-key-file'],
      ['client-cert-file', 'peer-client-cert-file'],
      ['client-key-file', 'peer-client-key-file'],
      ['client-cert-auth', 'peer-client-cert-auth'],
      ['trusted-ca-file', 'peer-trusted-ca-file'],
      ['auto-tls', 'peer-auto-tls'],
      ['allowed-cn', 'peer-cert-allowed-cn'],
      ['allowed-cns', 'peer-cert-allowed-cn'],
      ['allowed-hostname', 'peer-cert-allowed-hostname'],
      ['allowed-hostnames', 'peer-cert-allowed-hostname'],
      ['skip-client-san-verification', 'peer-skip-client-san-verification'],
    ]),
  ],
  [
    'socket-options',
    new Map([
      ['reuse-port', 'socket-reuse-port'],
      ['reuse-address', 'socket-reuse-address'],
    ]),
  ],
  [
    'discovery-config',
    new Map([
      ['endpoints', 'discovery-endpoints'],
      ['token', 'discovery-token'],
    ]),
  ],
])

/** Truth as YAML 1.1 spells it too. */
const truths: ReadonlyMap<string, string> = new Map([
  ['yes', 'true'],
  ['on', 'true'],
  ['y', 'true'],
  ['no', 'false'],
  ['off', 'false'],
  ['n', 'false'],
])

/**
 * Reads a file of settings.
 * @throws UsageError  it cannot be read or does not say what settings are; exit code 1
 */
export async function loadConfigFile(path: string): Promise<ParsedFlags> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    throw new UsageError(
      `open ${path}: ${isAbsent ? 'no such file or directory' : messageOf(error)}`,
      1,
    )
  }
  return settingsOf(path, await parseYaml(text))
}

async function parseYaml(text: string): Promise<unknown> {
  // Most nodes have no such file, and none should start later for it.
  const { parse } = await import('yaml')
  try {
    return parse(text, { merge: true, intAsBigInt: true, logLevel: 'error' })
  } catch (error) {
    throw new UsageError(`error converting YAML to JSON: ${firstLineOf(messageOf(error))}`, 1)
  }
}

function settingsOf(path: string, content: unknown): ParsedFlags {
  const texts = defaultTexts()
  const given = new Set<string>()
  const unknownKeys: string[] = []
  const set = (key: string, name: string | undefined, value: unknown): void => {
    const flag = name === undefined ? undefined : flagTable.get(name)
    if (flag === undefined) {
      unknownKeys.push(key)
      return
    }
    if (value === null) return
    texts.set(flag.name, textOf(key, flag, value))
    given.add(flag.name)
  }
  for (const [key, value] of entriesOf('the file', content)) {
    const plainKey = key.toLowerCase()
    const section = sections.get(plainKey)
    if (section === undefined) {
      set(key, formerFlagNames.get(plainKey) ?? plainKey, value)
      continue
    }
    for (const [inner, innerValue] of entriesOf(key, value)) {
      set(`${key}.${inner}`, section.get(inner.toLowerCase()), innerValue)
    }
  }
  return {
    texts,
    given,
    unknownVariables: [],
    file: { path, unknownKeys },
    wantsHelp: false,
    wantsVersion: false,
  }
}

function entriesOf(place: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (value === null || value === undefined) return []
  if (typeof value === 'object' && !Array.isArray(value)) return Object.entries(value)
  throw new UsageError(
    `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${kindOf(value)} into ${place}`,
    1,
  )
}

/** A value as a flag would give it. */
function textOf(key: string, flag: FlagDescription, value: unknown): string {
  const text = plainTextOf(flag, value)
  const problem = text === undefined ? 'parse error' : problemOfValue(flag, text)
  if (text !== undefined && problem === undefined) return text
  throw new UsageError(
    flag.kind === 'urls' && text !== undefined
      ? `unexpected error setting up ${key}: ${problem}`
      : `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${kindOf(value)} into ${key} of type ${flag.kind}`,
    1,
  )
}

function plainTextOf(flag: FlagDescription, value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const parts = value.map((each: unknown) => (typeof each === 'string' ? each : undefined))
    return parts.includes(undefined) ? undefined : parts.join(',')
  }
  if (typeof value === 'bigint' || typeof value === 'number') {
    if (flag.kind === 'boolean') return undefined
    return flag.kind === 'duration' ? `${value}ns` : String(value)
  }
  if (typeof value === 'boolean') {
    return flag.kind === 'boolean' || flag.kind === 'string' ? String(value) : undefined
  }
  if (typeof value !== 'string') return undefined
  if (flag.kind === 'boolean') return truths.get(value.toLowerCase())
  // A number is written as one.
  return flag.kind === 'string' || flag.kind === 'urls' ? value : undefined
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (value === null) return 'null'
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'bool'
    case 'number':
    case 'bigint':
      return 'number'
    default:
      return 'object'
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function firstLineOf(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
