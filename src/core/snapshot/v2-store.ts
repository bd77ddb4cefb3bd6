/**
 * The members as etcd up to 3.5 keeps them beside its database: as keys of the API before v3, in one JSON text.
 *
 * Such a member takes it from the message of a snapshot and does without the `members` bucket, so whoever sends it a
 * snapshot has to give it this. Newer ones look at it no more than we do.
 *
 *     /0/members/<id>/raftAttributes   {"peerURLs":["http://…"]}
 *     /0/members/<id>/attributes       {"name":"…","clientURLs":["http://…"]}
 *     /0/removed_members/<id>
 *     /0/version                       3.5.0
 */
import { hexId } from '../base/ids.ts'
import type { ClusterMembership } from '../membership/cluster-membership.ts'
import type { Member } from '../membership/member.ts'

/** A key with its value, or with what is below it. */
interface V2Node {
  readonly Path: string
  readonly CreatedIndex: number
  readonly ModifiedIndex: number
  readonly ExpireTime: string
  readonly Value: string
  readonly Children: Readonly<Record<string, V2Node>> | null
}

/** The text as bytes. @param index  of the log, up to which the members are told */
export function encodeV2Store(membership: ClusterMembership, index: number): Uint8Array {
  const members = Object.fromEntries(
    membership.list().map((member) => [hexId(member.id), memberFolder(member)]),
  )
  const removed = Object.fromEntries(
    [...membership.removed()].map((id) => [
      hexId(id),
      leafOf(`/0/removed_members/${hexId(id)}`, 'removed'),
    ]),
  )
  const { version } = membership.clusterVersion
  const cluster: Record<string, V2Node> = {
    members: folderOf('/0/members', members),
    removed_members: folderOf('/0/removed_members', removed),
  }
  if (version !== undefined) cluster['version'] = leafOf('/0/version', version)
  const root = folderOf('/', { '0': folderOf('/0', cluster), '1': folderOf('/1', {}) })
  const store = { Root: root, CurrentIndex: index, CurrentVersion: 2 }
  return new TextEncoder().encode(JSON.stringify(store))
}

function memberFolder({ id, name, peerUrls, clientUrls, isLearner }: Member): V2Node {
  const path = `/0/members/${hexId(id)}`
  const raftAttributes = { peerURLs: peerUrls, ...(isLearner ? { isLearner } : {}) }
  const children: Record<string, V2Node> = {
    raftAttributes: leafOf(`${path}/raftAttributes`, JSON.stringify(raftAttributes)),
  }
  // A member that has not started yet has told nothing.
  if (name !== '') {
    const attributes = JSON.stringify({ name, clientURLs: clientUrls })
    children['attributes'] = leafOf(`${path}/attributes`, attributes)
  }
  return folderOf(path, children)
}

function folderOf(path: string, children: Readonly<Record<string, V2Node>>): V2Node {
  return { ...blank, Path: path, Children: children }
}

function leafOf(path: string, value: string): V2Node {
  return { ...blank, Path: path, Value: value }
}

/** Go's zero time: never. */
const blank: V2Node = {
  Path: '',
  CreatedIndex: 0,
  ModifiedIndex: 0,
  ExpireTime: '0001-01-01T00:00:00Z',
  Value: '',
  Children: null,
}
