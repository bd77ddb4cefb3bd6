/**
 * What members of etcd up to 3.5 write into the log about themselves: requests of the API before v3.
 *
 * Such an entry holds etcd's `Request` (1 id, 2 method, 3 path, 4 value) instead of an `InternalRaftRequest`.
 * Two of them concern every member: `PUT /0/members/<id in hex>/attributes`, by which one tells its name and client URLs,
 * and `PUT /0/version`, by which the leader tells the version of the cluster. The rest changed the keys of that older API,
 * which are not kept here.
 */
import { nodeId, requestId, type NodeId, type RequestId } from '../base/ids.ts'
import { ByteReader, MalformedMessage } from '../proto/byte-reader.ts'

/** What such an entry says. */
export type V2Notice =
  | {
      readonly kind: 'memberAttributes'
      readonly member: NodeId
      readonly name: string
      readonly clientUrls: readonly string[]
    }
  | { readonly kind: 'clusterVersion'; readonly version: string }
  | { readonly kind: 'none' }

const tags = { id: 0x08, method: 0x12, path: 0x1a, value: 0x22 } as const
const methods: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'QGET', 'SYNC'])
const decoder = new TextDecoder()

/** Takes apart a bare request; undefined when the entry holds something else. */
export function findV2Request(
  data: Uint8Array,
): { readonly id: RequestId; readonly notice: V2Notice } | undefined {
  try {
    return readV2Request(data)
  } catch (error) {
    // Whatever it is, it is not of this form.
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
}

function readV2Request(
  data: Uint8Array,
): { readonly id: RequestId; readonly notice: V2Notice } | undefined {
  const reader = new ByteReader(data)
  if (reader.tag() !== tags.id) return undefined
  const id = requestId(reader.bits64())
  let [method, path, value] = ['', '', '']
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === tags.method) method = decoder.decode(reader.bytes())
    else if (tag === tags.path) path = decoder.decode(reader.bytes())
    else if (tag === tags.value) value = decoder.decode(reader.bytes())
    else reader.skip(tag)
  }
  if (!methods.has(method)) return undefined
  return { id, notice: method === 'PUT' ? noticeOf(path, value) : { kind: 'none' } }
}

function noticeOf(path: string, value: string): V2Notice {
  if (path === '/0/version') return { kind: 'clusterVersion', version: value }
  const id = /^\/0\/members\/([0-9a-f]{1,16})\/attributes$/.exec(path)?.[1]
  if (id === undefined) return { kind: 'none' }
  return { kind: 'memberAttributes', member: nodeId(BigInt(`0x${id}`)), ...attributesOf(value) }
}

function attributesOf(text: string): {
  readonly name: string
  readonly clientUrls: readonly string[]
} {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new MalformedMessage(`attributes that are not JSON: ${String(error)}`)
  }
  const { name, clientURLs } = (value ?? {}) as Readonly<Record<string, unknown>>
  return {
    name: typeof name === 'string' ? name : '',
    clientUrls: Array.isArray(clientURLs)
      ? clientURLs.filter((url: unknown): url is string => typeof url === 'string')
      : [],
  }
}
