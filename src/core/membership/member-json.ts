/**
 * Members as JSON, the form in which etcd stores them, puts them into configuration entries and answers `/members`:
 * `{"id":10276657743932975437,"peerURLs":["http://…"],"name":"…","clientURLs":["http://…"],"isLearner":true}`.
 *
 * Ids use all 64 bits, more than a JSON number keeps in JavaScript: they are written and read as text.
 */
import { nodeId, type NodeId } from '../base/ids.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { Member } from './member.ts'

/** One member; empty fields are left out, as etcd does. */
export function encodeMemberJson(member: Member): string {
  const parts = [
    `"id":${BigInt.asUintN(64, member.id).toString()}`,
    `"peerURLs":${JSON.stringify(member.peerUrls)}`,
  ]
  if (member.isLearner) parts.push('"isLearner":true')
  if (member.name !== '') parts.push(`"name":${JSON.stringify(member.name)}`)
  if (member.clientUrls.length > 0) parts.push(`"clientURLs":${JSON.stringify(member.clientUrls)}`)
  return `{${parts.join(',')}}`
}

/** All members as one array. */
export function encodeMembersJson(members: readonly Member[]): string {
  return `[${members.map(encodeMemberJson).join(',')}]`
}

/**
 * The id may be 0, which nobody has: whoever asks for a change of such a member puts it into the log of all.
 * @throws StorageFault when the text is not a member; `source` names where it came from
 */
export function decodeMemberJson(text: string, source: string): Member {
  return memberOf(parseWithTextIds(text, source), source)
}

/** @throws StorageFault when the text is not an array of members */
export function decodeMembersJson(text: string, source: string): readonly Member[] {
  const value = parseWithTextIds(text, source)
  if (!Array.isArray(value)) throw new StorageFault('members are not a list', { path: source })
  return value.map((element: unknown) => memberOf(element, source))
}

/** A quote inside a JSON string is always escaped, so `"id":` outside of one cannot be mistaken. */
function parseWithTextIds(text: string, source: string): unknown {
  try {
    return JSON.parse(text.replace(/"id":\s*(\d+)/g, '"id":"$1"')) as unknown
  } catch (error) {
    throw new StorageFault('a member is not valid JSON', { path: source, cause: error })
  }
}

function memberOf(value: unknown, source: string): Member {
  if (typeof value !== 'object' || value === null) {
    throw new StorageFault('a member is not an object', { path: source })
  }
  const record = value as Record<string, unknown>
  return {
    id: idOf(record['id'], source),
    name: typeof record['name'] === 'string' ? record['name'] : '',
    peerUrls: textsOf(record['peerURLs']),
    clientUrls: textsOf(record['clientURLs']),
    isLearner: record['isLearner'] === true,
  }
}

function idOf(value: unknown, source: string): NodeId {
  if (typeof value !== 'string' || !/^\d{1,20}$/.test(value))
    throw new StorageFault('a member has no id', { path: source })
  return nodeId(BigInt(value))
}

function textsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return []
  return value.filter((element: unknown): element is string => typeof element === 'string')
}
