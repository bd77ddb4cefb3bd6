/** Options of one Raft node. Times are counted in ticks; the host decides how long a tick is. */
import type { NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'
import type { LogStorage } from './log-storage.ts'
import type { LogIndex } from './message.ts'
import type { PlantedBugs } from './planted-bugs.ts'

export interface RaftConfig {
  readonly id: NodeId
  readonly storage: LogStorage
  readonly random: Random
  readonly logger: Logger
  /**
   * Last index the state machine has applied; entries up to here are not handed out again. It may lie above the commit
   * index of the stored hard state (which is written without a sync): what was applied was committed.
   */
  readonly applied: LogIndex
  readonly electionTicks: number
  readonly heartbeatTicks: number
  readonly usesPreVote: boolean
  readonly checksQuorum: boolean
  readonly appendSizeBytesMax: number
  readonly committedSizeBytesMax: number
  readonly uncommittedSizeBytesMax: number
  readonly inflightMessagesMax: number
  /** 0: no limit by size. */
  readonly inflightSizeBytesMax: number
  /** A leader that removes itself from the voters steps down when the change is applied. */
  readonly stepsDownOnRemoval: boolean
  readonly readMode: 'quorum' | 'lease'
  /** Followers pass proposals on to the leader. */
  readonly forwardsProposals: boolean
  /** Bugs to plant, for the simulator only. */
  readonly plantedBugs?: PlantedBugs
}
