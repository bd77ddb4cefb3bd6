/** One member of the cluster: who it is, where its peers and clients reach it, whether it votes. */
import type { NodeId } from '../base/ids.ts'

export interface Member {
  readonly id: NodeId
  /** Empty until the member has started and published itself. */
  readonly name: string
  readonly peerUrls: readonly string[]
  /** Empty until the member has started and published itself. */
  readonly clientUrls: readonly string[]
  readonly isLearner: boolean
}
