/**
 * Where the ids of members and clusters come from.
 *
 * Every member of a new cluster computes them by itself, from the same `--initial-cluster` and token, and all must come
 * to the same result. Source: etcd, `membership.NewMember` and `genID`: the first eight bytes, big endian, of a SHA-1.
 */
import { clusterId, nodeId, type ClusterId, type NodeId } from '../base/ids.ts'

/** SHA-1: 20 bytes over all the input. */
export type Sha1 = (bytes: Uint8Array) => Uint8Array

/**
 * Id of a member known by its peer URLs.
 *
 * @param token           the cluster token for a member of a new cluster, empty for one that is added later
 * @param addedAtSeconds  wall time at which a later member was added; keeps its id apart from earlier lives
 */
export function deriveMemberId(
  sha1: Sha1,
  options: {
    readonly peerUrls: readonly string[]
    readonly token: string
    readonly addedAtSeconds?: number
  },
): NodeId {
  const time = options.addedAtSeconds === undefined ? '' : String(options.addedAtSeconds)
  const text = [...options.peerUrls].sort().join('') + options.token + time
  return nodeId(firstEightBytes(sha1(new TextEncoder().encode(text))))
}

/** Id of a new cluster of these members. */
export function deriveClusterId(sha1: Sha1, members: readonly NodeId[]): ClusterId {
  const sorted = [...members].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0))
  const bytes = new Uint8Array(sorted.length * 8)
  const view = new DataView(bytes.buffer)
  sorted.forEach((id, position) => {
    view.setBigUint64(position * 8, id)
  })
  return clusterId(firstEightBytes(sha1(bytes)))
}

function firstEightBytes(digest: Uint8Array): bigint {
  return new DataView(digest.buffer, digest.byteOffset, digest.byteLength).getBigUint64(0)
}
