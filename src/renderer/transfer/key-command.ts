/** What can be asked about a key, as a line for bash. */

import { isText } from '../format/bytes-text.ts'
import { putCommand } from './command-format.ts'
import { shellWord } from './shell-words.ts'

/** A key as a command names it. */
export interface CommandSubject {
  readonly key: Uint8Array
  readonly endpoints: readonly string[]
  /** Read as of this revision; 0: the newest. */
  readonly revision: number
  /** The value, where it is known: decides how it is printed. */
  readonly value?: Uint8Array
}

/**
 * The command line, with its endpoints.
 *
 * @returns undefined when the key holds a zero byte, which no argument can
 */
export function keyCommand(
  verb: 'get' | 'del' | 'watch',
  { key, endpoints, revision, value }: CommandSubject,
): string | undefined {
  const word = shellWord(key)
  if (word === undefined) return undefined
  const isHex = verb === 'get' && value !== undefined && !isText(value)
  const words = [
    `etcdctl${endpointsOption(endpoints)}`,
    verb,
    ...(revision === 0 || verb === 'del' ? [] : [`--rev=${String(revision)}`]),
    ...(isHex ? ['--hex'] : []),
    ...(word.startsWith('-') ? ['--'] : []),
    word,
  ]
  return words.join(' ')
}

/** The line that writes a pair. */
export function keyPutCommand(
  pair: { readonly key: Uint8Array; readonly value: Uint8Array },
  endpoints: readonly string[],
): string {
  return putCommand(pair.key, pair.value, endpointsOption(endpoints))
}

function endpointsOption(endpoints: readonly string[]): string {
  if (endpoints.length === 0) return ''
  const word = shellWord(new TextEncoder().encode(endpoints.join(','))) ?? ''
  return ` --endpoints=${word}`
}
