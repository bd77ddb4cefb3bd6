/** What is asked of every call before its method runs. The order is etcd's. */
import { isUtf8 } from 'node:buffer'
import { noNode, type NodeId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { CallContext } from './rpc-call.ts'

/** What the checks need to know of the node. */
export interface AdmissionSource {
  /** 0 while none is known. */
  readonly leaderId: NodeId
  readonly isLearner: boolean
}

/**
 * Refuses a call that this member cannot serve at all.
 *
 * @param isServedByLearner  asked on a learner only
 * @throws StoreError  `notSupportedForLearner`, `invalidClientApiVersion`, `noLeader`
 */
export function admitCall(
  source: AdmissionSource,
  call: CallContext,
  isServedByLearner: () => boolean,
): void {
  if (source.isLearner && !isServedByLearner()) throw new StoreError('notSupportedForLearner')
  const apiVersion = call.findMetadata('client-api-version')
  if (apiVersion !== undefined && !isUtf8(Buffer.from(apiVersion, 'latin1'))) {
    throw new StoreError('invalidClientApiVersion')
  }
  if (requiresLeader(call) && source.leaderId === noNode) throw new StoreError('noLeader')
}

/** Whether the caller would rather be refused than wait for a leader. */
export function requiresLeader(call: CallContext): boolean {
  return call.findMetadata('hasleader') === 'true'
}
