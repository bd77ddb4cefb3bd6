/**
 * What may differ between a real etcd and our node in the comparisons, each with its reason. Nothing else is left out:
 * all tests of this folder mask answers by the functions below.
 *
 * There are few kinds of it: ids and ports, sizes, times, the version, terms and positions in the log, the words of a
 * decoder, and the order in which followers list leases. What 3.6 and later tell besides is named where it is left out.
 */
import type { ResponseHeader, StatusResponse } from '../../src/core/proto/gen/rpc.ts'
import type { PairedServer } from '../helpers/server-pair.ts'

interface Exclusion {
  /** Why both are right. */
  readonly reason: string
  readonly pattern: RegExp
  readonly replacement: string
}

/** In what etcdctl prints. */
const printedExclusions: readonly Exclusion[] = [
  {
    reason: 'ids of members are hashes over peer URLs, which hold the port; others are random',
    pattern:
      /("(?:cluster_id|member_id|leader|ID|memberID)":|"(?:ClusterID|MemberID|ID)" : |^)\d{6,20}\b/gm,
    replacement: '$1ID',
  },
  {
    reason:
      'the same ids in the notation of people, filled up with spaces where they begin with zeros',
    pattern: /(?<=\S) +[0-9a-f]{12,16}\b/g,
    replacement: ' ID',
  },
  {
    reason: 'the same ids where nothing stands before them',
    pattern: /\b[0-9a-f]{12,16}\b/g,
    replacement: 'ID',
  },
  {
    reason: 'a duration',
    pattern: /(took = |"took":")[\d.]+(?:µs|ms|s)/g,
    replacement: '$1DURATION',
  },
  {
    reason: 'what is left of a lease depends on when it is asked',
    pattern: /remaining\(\d+s\)/g,
    replacement: 'remaining(S)',
  },
  {
    reason: 'the version of the server, and the size of its database',
    pattern: /(endpoint|CLIENT, ID), \d+\.\d+\.\d+, [\d.]+ [kM]?B,/g,
    replacement: '$1, VERSION, SIZE,',
  },
  {
    reason: 'how many log entries a server writes for itself at its start is its own affair',
    pattern: /(VERSION, SIZE, \w+, \w+, \d+), \d+, \d+,/g,
    replacement: '$1, INDEX, INDEX,',
  },
  {
    reason: 'sizes of the database and positions in the log, in JSON',
    pattern: /"(raftIndex|raftAppliedIndex|dbSize|dbSizeInUse)":\d+/g,
    replacement: '"$1":0',
  },
  {
    reason: 'the version of the server; and what 3.6 and later tell besides',
    pattern:
      /,?"(?:(?:version|storageVersion)":"[^"]*"|dbSizeQuota":\d+|downgradeInfo":\{\}|hash_revision":\d+)/g,
    replacement: '',
  },
  {
    reason: 'warnings of the client library carry the time and a random name',
    pattern: /^\{"level":"warn".*\}$/gm,
    replacement: 'a warning of the library',
  },
]

/** Fields of the gateway's JSON. */
const excludedFields: ReadonlyMap<string, string> = new Map([
  ['cluster_id', 'a hash over peer URLs, which hold the port'],
  ['member_id', 'a hash over peer URLs, which hold the port'],
  ['leader', 'an id of a member where it is a number'],
  ['raft_term', 'counts elections'],
  ['raftTerm', 'counts elections'],
  ['raftIndex', 'counts log entries, also those of the server for itself'],
  ['raftAppliedIndex', 'counts log entries, also those of the server for itself'],
  ['dbSize', 'another kind of database'],
  ['dbSizeInUse', 'another kind of database'],
  ['version', 'the version of the server where it is a text'],
  ['storageVersion', 'told by 3.6 and later'],
  ['dbSizeQuota', 'told by 3.6 and later'],
  ['downgradeInfo', 'told by 3.6 and later'],
])

/** The text with everything replaced that may differ. */
export function comparable(text: string, server: PairedServer): string {
  const masked = printedExclusions.reduce(
    (result, { pattern, replacement }) => result.replace(pattern, replacement),
    withoutPorts(text, server).replaceAll(server.endpoint, 'CLIENT'),
  )
  return membersInOrder(tablesNarrowed(masked))
}

/** Tables are as wide as the ids in them, which are shorter where they begin with zeros. */
function tablesNarrowed(text: string): string {
  return text.replace(/^[|+].*$/gm, (line) => line.replace(/-{2,}/g, '-').replace(/ {2,}/g, ' '))
}

/** Members come in the order of their ids, so a line per member, or a list of them, comes in the order of its text. */
function membersInOrder(text: string): string {
  return text
    .replace(/(?:^ID, (?:un)?started, .*\n)+/gm, (lines) =>
      lines
        .split(/(?<=\n)/)
        .sort()
        .join(''),
    )
    .replace(/(?<=ETCD_INITIAL_CLUSTER=")[^"]*/g, (list) => list.split(',').sort().join(','))
}

/** Ports are free ones, others for each server. */
function withoutPorts(text: string, server: PairedServer): string {
  return text
    .replaceAll(server.clientUrl, 'http://CLIENT')
    .replaceAll(server.peerUrl, 'http://PEER')
}

/**
 * The last line of an error output. Lines before it are the client library's own, with times and random names in them.
 */
export function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}

/** What the gateway answered, without what may differ; fields in the order of their names. */
export function comparableJson(value: unknown, server: PairedServer): unknown {
  if (Array.isArray(value)) return value.map((each) => comparableJson(each, server))
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'string' ? withoutPorts(value, server) : value
  }
  const entries = Object.entries(value)
    .filter(([name]) => !excludedFields.has(name))
    // A member's; the id of a lease is the one that was asked for.
    .filter(([name]) => name !== 'ID' || !('peerURLs' in value))
    .map(([name, field]) => [name, comparableJson(field, server)] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1))
  return Object.fromEntries(entries)
}

/**
 * A message in a form that can be compared: bytes and 64-bit numbers become text. Of the ids and terms of a header it is told
 * only whether they are there.
 */
export function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      name === 'header' && field !== undefined
        ? readableHeader(field as ResponseHeader)
        : readable(field),
    ]),
  )
}

function readableHeader(header: ResponseHeader): object {
  return {
    revision: String(header.revision),
    hasCluster: header.clusterId !== 0n,
    hasMember: header.memberId !== 0n,
    hasTerm: header.raftTerm !== 0n,
  }
}

/** What is known of a cluster's members by their places; an id is 0n where it is not known. */
export interface Places {
  readonly ids: readonly bigint[]
  readonly peerUrls: readonly string[]
  readonly clientUrls: readonly string[]
}

/** An answer about members in which ids and addresses are told by places, and members come in the order of these. */
export function inPlaces(answer: unknown, { ids, peerUrls, clientUrls }: Places): unknown {
  let text = JSON.stringify(readable(answer))
  for (const [index, id] of ids.entries()) {
    if (id !== 0n) text = text.replaceAll(String(id), `MEMBER${index}`)
  }
  for (const [index, url] of peerUrls.entries()) text = text.replaceAll(url, `PEER${index}`)
  for (const [index, url] of clientUrls.entries()) text = text.replaceAll(url, `CLIENT${index}`)
  // Members who came later.
  text = text.replace(/http:\/\/127\.0\.0\.1:\d{4,5}/g, 'CLIENT')
  const parsed = JSON.parse(text.replace(/"ID":"\d+"/g, '"ID":"ID"')) as {
    response?: { members?: { peerURLs: string[] }[] }
  }
  parsed.response?.members?.sort((left, right) =>
    left.peerURLs.join() < right.peerURLs.join() ? -1 : 1,
  )
  return parsed
}

/** A status without version, sizes and positions in the log, of which it is told whether they are there and agree. */
export function comparableStatus(
  answer: {
    readonly code: number
    readonly text: string
    readonly response: StatusResponse | undefined
  },
  ids: readonly bigint[],
): unknown {
  const { code, text, response } = answer
  return readable({
    code,
    text,
    header: response?.header,
    isLeaderOneOfTheMembers: ids.includes(response?.leader ?? 0n),
    leads: response?.leader === response?.header?.memberId,
    isLearner: response?.isLearner,
    errors: response?.errors.map((error) => error.replace(/\d{5,}/, 'ID').trimEnd()),
    hasSizes: [response?.dbSize, response?.dbSizeInUse].every((size) => (size ?? 0n) > 0n),
    hasIndexes: [response?.raftIndex, response?.raftAppliedIndex].every(
      (index) => (index ?? 0n) > 0n,
    ),
    isTermAlike: response?.raftTerm === response?.header?.raftTerm,
  })
}

/** What is left of a lease depends on when it is asked, up to five seconds. Ends and refusals are told as they are. */
export function comparableSeconds(leftSeconds: bigint, grantedSeconds: bigint): bigint | boolean {
  return leftSeconds < 0n ? leftSeconds : grantedSeconds - leftSeconds <= 5n
}

/** Followers know no ends of leases, and list keys and leases in any order. */
export function inAnyOrder(items: readonly string[]): readonly string[] {
  return [...items].sort()
}

/** The words of a decoder about a message that is none are its own. */
export function withoutDecoderWords(text: string): string {
  return text.replace(/(unmarshal\w* .*?): .*/, '$1: …')
}
