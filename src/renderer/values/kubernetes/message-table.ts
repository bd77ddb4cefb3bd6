/** The fields of every known message of the Kubernetes API, read from the table when they are first asked for. */

import table from './fields.json'

/** One field of a message. */
export interface MessageField {
  readonly number: number
  /** Name in the API's JSON. */
  readonly name: string
  /** `s` text, `b` bool, `i` and `I` integers of 32 and 64 bits, `d` double, `B` bytes, else a message's full name. */
  readonly type: string
  readonly shape: 'one' | 'list' | 'map'
  readonly isZeroOmitted: boolean
  readonly isNullWhenAbsent: boolean
  /** Its fields stand among those of the message around it. */
  readonly isInline: boolean
}

/** A message, or a list that travels as one. */
export type MessageType =
  | { readonly kind: 'fields'; readonly fields: readonly MessageField[] }
  | { readonly kind: 'list'; readonly element: MessageField }

const texts = new Map(Object.entries(table.messages))
const groups = new Map(Object.entries(table.groups))
const parsed = new Map<string, MessageType>()

/** Name of the message that holds objects of a kind, for example `core/v1.Pod`; undefined when it is not known. */
export function findMessageName(apiVersion: string, kind: string): string | undefined {
  const cut = apiVersion.lastIndexOf('/')
  const group = groups.get(cut < 0 ? '' : apiVersion.slice(0, cut))
  const name = `${group ?? ''}/${apiVersion.slice(cut + 1)}.${kind}`
  return texts.has(name) ? name : undefined
}

/** The message of a full name; undefined when it is not known. */
export function findMessage(name: string): MessageType | undefined {
  const known = parsed.get(name)
  if (known !== undefined) return known
  const text = texts.get(name)
  if (text === undefined) return undefined
  const message = parseMessage(text, name.slice(0, name.lastIndexOf('.')))
  parsed.set(name, message)
  return message
}

function parseMessage(text: string, owner: string): MessageType {
  if (text.startsWith('list '))
    return { kind: 'list', element: parseField(`1 items ${text.slice(5)}`, owner) }
  const fields = text === '' ? [] : text.split(';').map((field) => parseField(field, owner))
  return { kind: 'fields', fields }
}

function parseField(text: string, owner: string): MessageField {
  const [number = '', name = '', written = '', flags = ''] = text.split(' ')
  const shape = written.startsWith('*') ? 'list' : written.startsWith('%') ? 'map' : 'one'
  const bare = shape === 'one' ? written : written.slice(1)
  return {
    number: Number(number),
    name,
    type: bare.length === 1 || bare.includes('.') ? bare : `${owner}.${bare}`,
    shape,
    isZeroOmitted: flags.includes('?'),
    isNullWhenAbsent: flags.includes('!'),
    isInline: flags.includes('^'),
  }
}
