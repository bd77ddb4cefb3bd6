/** Options of one Raft node. Times are counted in ticks; the host decides how long a tick is. */
import { noNode } from '../base/ids.ts'
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
  /**
   * A leader that removes itself from the voters steps down as soon as the change is applied. Off is the safer choice: it
   * goes on telling the others what is committed until its host stops it. If they never hear that the removal is, they
   * still count on its vote.
   */
  readonly stepsDownOnRemoval: boolean
  readonly readMode: 'quorum' | 'lease'
  /**
   * A leader tells the others that something is committed with the next entries it has for them, or when the host says
   * `tellCommit`; only who proposed it itself hears at once. Off: all hear at once.
   */
  readonly holdsCommitNotices?: boolean
  /** Followers pass proposals on to the leader. */
  readonly forwardsProposals: boolean
  /** Bugs to plant, for the simulator only. */
  readonly plantedBugs?: PlantedBugs
}

/**
 * Checks that the options fit together.
 *
 * @throws RangeError naming all problems at once
 */
export function checkRaftConfig(config: RaftConfig): void {
  const problems: string[] = []
  const demand = (isMet: boolean, problem: string): void => {
    if (!isMet) problems.push(problem)
  }
  const { heartbeatTicks, electionTicks, inflightSizeBytesMax } = config
  demand(config.id !== noNode, 'the node id is not 0')
  demand(heartbeatTicks > 0, 'heartbeatTicks is greater than 0')
  demand(electionTicks > heartbeatTicks, 'electionTicks is greater than heartbeatTicks')
  demand(config.inflightMessagesMax > 0, 'inflightMessagesMax is greater than 0')
  demand(
    inflightSizeBytesMax === 0 || inflightSizeBytesMax >= config.appendSizeBytesMax,
    'inflightSizeBytesMax is 0 or at least appendSizeBytesMax',
  )
  demand(
    config.readMode !== 'lease' || config.checksQuorum,
    'reads by lease need checksQuorum: a leader must step down when it is cut off',
  )
  if (problems.length > 0) throw new RangeError(`Raft options do not fit: ${problems.join('; ')}`)
}
