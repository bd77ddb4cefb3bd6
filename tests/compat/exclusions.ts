/**
 * What may differ between a real etcd and our node in the comparisons, each with its reason. Nothing else is left out.
 */
import type { PairedServer } from '../helpers/server-pair.ts'

interface Exclusion {
  /** Why both are right. */
  readonly reason: string
  readonly pattern: RegExp
  readonly replacement: string
}

const exclusions: readonly Exclusion[] = [
  {
    reason: 'ids are hashes over peer URLs, which hold the port',
    pattern: /("(?:cluster_id|member_id|leader)":|"(?:ClusterID|MemberID)" : |^)\d{6,20}\b/gm,
    replacement: '$1ID',
  },
  {
    reason: 'ids are hashes over peer URLs, which hold the port',
    pattern: /\b[0-9a-f]{15,16}\b(?=,| is )/g,
    replacement: 'ID',
  },
  {
    reason: 'a duration',
    pattern: /took = [\d.]+(?:µs|ms|s)/g,
    replacement: 'took = DURATION',
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
]

/** The text with everything replaced that may differ. */
export function comparable(text: string, server: PairedServer): string {
  const withoutPorts = text
    .replaceAll(server.clientUrl, 'http://CLIENT')
    .replaceAll(server.peerUrl, 'http://PEER')
    .replaceAll(server.endpoint, 'CLIENT')
  return exclusions.reduce(
    (result, { pattern, replacement }) => result.replace(pattern, replacement),
    withoutPorts,
  )
}

/**
 * The last line of an error output. Lines before it are the client library's own, with times and random names in them.
 */
export function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}
