/**
 * What a request's header block says, checked.
 *
 * `:authority` may be anything: `etcdctl` sends its endpoint with the scheme in it, and servers of etcd take it.
 *
 * @see RFC 9113, section 8
 */
import type { HeaderField } from './hpack-tables.ts'

/** A request's head. Requests with equal blocks share one, so nobody may change it. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  /** The host asked for, as the client wrote it; may be empty. */
  readonly authority: string
  /** Fields by name in lower case, without the pseudo ones. Of repeated fields the first counts. */
  readonly fields: ReadonlyMap<string, string>
  /** `content-length`, in bytes; -1 when it is not told. */
  readonly contentLengthBytes: number
}

const namePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** Without the characters that would let one field become two. */
const valuePattern = /^[^\0\r\n]*$/
/** They belong to HTTP/1 and would be a way to smuggle requests. */
const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** The head, or undefined when the request is malformed. */
export function parseRequestHead(list: readonly HeaderField[]): RequestHead | undefined {
  const pseudo = new Map<string, string>()
  const fields = new Map<string, string>()
  for (const { name, value } of list) {
    if (!valuePattern.test(value)) return undefined
    if (name.startsWith(':')) {
      if (fields.size > 0 || !isPseudoName(name) || pseudo.has(name)) return undefined
      pseudo.set(name, value)
      continue
    }
    if (!isRegularField({ name, value })) return undefined
    if (!fields.has(name)) fields.set(name, value)
  }
  const method = pseudo.get(':method')
  const path = pseudo.get(':path')
  if (method === undefined || path === undefined || path === '') return undefined
  if (!pseudo.has(':scheme')) return undefined
  const contentLengthBytes = parseContentLength(fields.get('content-length'))
  if (contentLengthBytes === undefined) return undefined
  const authority = pseudo.get(':authority') ?? ''
  return { method, path, authority, fields, contentLengthBytes }
}

/** Whether these may stand after a request's content. */
export function areTrailersValid(list: readonly HeaderField[]): boolean {
  return list.every((field) => valuePattern.test(field.value) && isRegularField(field))
}

function isPseudoName(name: string): boolean {
  return name === ':method' || name === ':path' || name === ':scheme' || name === ':authority'
}

function isRegularField({ name, value }: HeaderField): boolean {
  if (!namePattern.test(name) || connectionFields.has(name)) return false
  return name !== 'te' || value === 'trailers'
}

function parseContentLength(value: string | undefined): number | undefined {
  if (value === undefined) return -1
  return /^\d{1,15}$/.test(value) ? Number(value) : undefined
}
