/** Identities of 64 bits. They are branded so that one kind cannot be passed where another is meant. */

/** Raft node and cluster member: the same number under both names. 0 means none. */
export type NodeId = bigint & { readonly __brand: 'NodeId' }
/** Cluster identity, the same on all members. */
export type ClusterId = bigint & { readonly __brand: 'ClusterId' }
/** Lease; 0 means no lease. */
export type LeaseId = bigint & { readonly __brand: 'LeaseId' }
/** One proposed request, unique over members and restarts. */
export type RequestId = bigint & { readonly __brand: 'RequestId' }

/** No node: an unknown leader, an empty vote. */
export const noNode = 0n as NodeId
/** No lease. */
export const noLease = 0n as LeaseId

/** Takes the low 64 bits as a node id. */
export function nodeId(value: bigint): NodeId {
  return BigInt.asUintN(64, value) as NodeId
}
/** Takes the low 64 bits as a cluster id. */
export function clusterId(value: bigint): ClusterId {
  return BigInt.asUintN(64, value) as ClusterId
}
/** Takes the low 64 bits, signed as on the wire, as a lease id. */
export function leaseId(value: bigint): LeaseId {
  return BigInt.asIntN(64, value) as LeaseId
}
/** Takes the low 64 bits as a request id. */
export function requestId(value: bigint): RequestId {
  return BigInt.asUintN(64, value) as RequestId
}
/** Hexadecimal without leading zeros, as etcd prints ids. */
export function hexId(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16)
}
