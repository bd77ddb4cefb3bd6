/** What members tell each other at the head of every request, and how it is judged. Names and texts are etcd's. */
import type { IncomingHttpHeaders } from 'node:http'
import { type ClusterId, hexId, type NodeId } from '../base/ids.ts'

/** This member as it introduces itself. */
export interface LocalIdentity {
  readonly nodeId: NodeId
  readonly clusterId: ClusterId
  /** `X.Y.Z`. */
  readonly serverVersion: string
  readonly minimumClusterVersion: string
  readonly advertisedUrls: readonly string[]
}

/** Answers whose text other members look at. */
export const handshakeTexts = {
  incompatibleVersion: 'incompatible version',
  clusterIdMismatch: 'cluster ID mismatch',
  senderNotFound: 'error sender not found',
  receiverMismatch: 'to field mismatch',
  removedMember: 'cannot process message from removed member',
  mismatchedMember: 'cannot process message to mismatch member',
} as const

// A server that does not say is from before servers said so.
const oldestVersion = '2.0.0'

/** Headers of a request to another member. */
export function requestHeaders(identity: LocalIdentity): Record<string, string> {
  return {
    'X-Server-From': hexId(identity.nodeId),
    'X-Server-Version': identity.serverVersion,
    'X-Min-Cluster-Version': identity.minimumClusterVersion,
    'X-Etcd-Cluster-ID': hexId(identity.clusterId),
    'X-PeerURLs': identity.advertisedUrls.join(','),
  }
}

/** The text to refuse a request with (status 412); undefined when sender and we belong together. */
export function incompatibility(
  identity: LocalIdentity,
  headers: IncomingHttpHeaders,
): string | undefined {
  const remote = headerOf(headers, 'x-server-version') ?? oldestVersion
  const remoteMinimum = headerOf(headers, 'x-min-cluster-version') ?? oldestVersion
  const isTooOld = compareMinorVersions(remote, identity.minimumClusterVersion) < 0
  const areWeTooOld = compareMinorVersions(identity.serverVersion, remoteMinimum) < 0
  if (isTooOld || areWeTooOld) return handshakeTexts.incompatibleVersion
  if (headerOf(headers, 'x-etcd-cluster-id') !== hexId(identity.clusterId)) {
    return handshakeTexts.clusterIdMismatch
  }
  return undefined
}

/** One value of a header; undefined when it is absent. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : value?.[0]
}

/** Hexadecimal as ids stand in paths and headers; undefined for anything else. */
export function parseHexId(text: string): bigint | undefined {
  return /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined
}

/** Compares major and minor only: patch releases always get along. A version that cannot be read is the oldest. */
export function compareMinorVersions(left: string, right: string): number {
  const [leftMajor, leftMinor] = majorMinor(left)
  const [rightMajor, rightMinor] = majorMinor(right)
  return leftMajor - rightMajor || leftMinor - rightMinor
}

function majorMinor(version: string): readonly [number, number] {
  const match = /^(\d{1,9})\.(\d{1,9})(?:\.|$)/.exec(version)
  return match === null ? [2, 0] : [Number(match[1]), Number(match[2])]
}
