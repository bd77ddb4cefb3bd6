/** Transactions and ranges in the words of etcdctl, for people to take over. Never run by this program. */

import { shellText } from '../format/bytes-text.ts'
import { endsOf, type TxnParts } from './query-compile.ts'
import type { Compare, KeyRange, TxnOperation } from '../../preload/contract/kv.ts'
import type { ReadOptions } from './query-compile.ts'

/** Why something cannot be said to etcdctl. */
export type CommandObstacle = 'compareRange' | 'leaseCompare' | 'nested'

export type CommandText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'obstacle'; readonly obstacle: CommandObstacle }

const relationSigns = { equal: '=', notEqual: '!=', greater: '>', less: '<' } as const
const sortNames = {
  key: 'KEY',
  version: 'VERSION',
  createRevision: 'CREATE',
  modRevision: 'MODIFY',
  value: 'VALUE',
} as const

/** What `etcdctl txn` reads from its standard input. */
export function txnInputOf(txn: TxnParts): CommandText {
  if (txn.compares.some((compare) => compare.end !== undefined)) {
    return { kind: 'obstacle', obstacle: 'compareRange' }
  }
  // Releases of etcdctl up to 3.5 end with a fault at a condition on a lease.
  if (txn.compares.some(({ operand }) => operand.kind === 'lease')) {
    return { kind: 'obstacle', obstacle: 'leaseCompare' }
  }
  const operations = [...txn.thenOperations, ...txn.elseOperations]
  if (operations.some((operation) => operation.kind === 'txn')) {
    return { kind: 'obstacle', obstacle: 'nested' }
  }
  const lines = [
    ...txn.compares.map(compareLine),
    '',
    ...txn.thenOperations.map(operationLine),
    '',
    ...txn.elseOperations.map(operationLine),
    '',
  ]
  return { kind: 'text', text: `${lines.join('\n')}\n` }
}

/** The command that reads the same range. Bounds of revisions are known to newer versions of etcdctl only. */
export function getCommandOf(
  range: KeyRange,
  options: ReadOptions & { readonly isSerializable: boolean },
): string {
  const consistency = options.isSerializable ? ['--consistency=s'] : []
  // A bare count is printed in this form only.
  const form = options.isCountOnly === true ? ['--write-out=fields'] : []
  const keys = rangeWords(range, shellText)
  return ['etcdctl', 'get', ...keys, ...optionWords(options), ...consistency, ...form].join(' ')
}

function compareLine({ key, relation, operand }: Compare): string {
  const sign = relationSigns[relation]
  const name = quoted(key)
  switch (operand.kind) {
    case 'value':
      return `value(${name}) ${sign} ${quoted(operand.value)}`
    case 'version':
      return `version(${name}) ${sign} "${String(operand.version)}"`
    case 'createRevision':
      return `create(${name}) ${sign} "${String(operand.createRevision)}"`
    case 'modRevision':
      return `mod(${name}) ${sign} "${String(operand.modRevision)}"`
    case 'lease':
      return `lease(${name}) ${sign} "${operand.lease.toString(16)}"`
  }
}

function operationLine(operation: TxnOperation): string {
  switch (operation.kind) {
    case 'put': {
      const lease =
        operation.keepsLease === true
          ? ['--ignore-lease']
          : operation.lease === undefined
            ? []
            : [`--lease=${operation.lease.toString(16)}`]
      return ['put', ...lease, quoted(operation.key), quoted(operation.value)].join(' ')
    }
    case 'delete':
      return [
        'del',
        ...(operation.needsPrevious === false ? [] : ['--prev-kv']),
        ...rangeWords(operation.range, quoted),
      ].join(' ')
    case 'range':
      return ['get', ...optionWords(operation), ...rangeWords(operation.range, quoted)].join(' ')
    case 'txn':
      return ''
  }
}

function rangeWords(range: KeyRange, quote: (key: Uint8Array) => string): readonly string[] {
  switch (range.kind) {
    case 'key':
      return [quote(range.key)]
    case 'prefix':
      return ['--prefix', quote(range.prefix)]
    case 'interval': {
      const { start } = endsOf(range)
      return [quote(start), quote(range.end)]
    }
    case 'from':
      return ['--from-key', quote(range.start)]
    case 'all':
      return ['--prefix', '""']
  }
}

function optionWords(options: ReadOptions): readonly string[] {
  const words: string[] = []
  if (options.limit > 0) words.push(`--limit=${String(options.limit)}`)
  if (options.revision !== undefined) words.push(`--rev=${String(options.revision)}`)
  if (options.sort !== undefined) {
    words.push(`--sort-by=${sortNames[options.sort.by]}`)
    words.push(`--order=${options.sort.isDescending ? 'DESCEND' : 'ASCEND'}`)
  }
  if (options.isKeysOnly === true) words.push('--keys-only')
  if (options.isCountOnly === true) words.push('--count-only')
  const bounds = {
    'min-mod-rev': options.minModRevision,
    'max-mod-rev': options.maxModRevision,
    'min-create-rev': options.minCreateRevision,
    'max-create-rev': options.maxCreateRevision,
  }
  for (const [name, revision] of Object.entries(bounds)) {
    if (revision !== undefined) words.push(`--${name}=${String(revision)}`)
  }
  return words
}

/** A word between double quotes with the escapes that etcdctl resolves; every byte outside of printable ASCII is one. */
function quoted(bytes: Uint8Array): string {
  let text = '"'
  for (const byte of bytes) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
    text += isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
  }
  return `${text}"`
}
