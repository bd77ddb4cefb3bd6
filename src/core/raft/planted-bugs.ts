/**
 * Bugs that can be switched on to prove that the simulator finds them. All are off in a product; every switch is one
 * small branch beside the rule that it breaks.
 */

/** Which rules are broken on purpose. */
export interface PlantedBugs {
  /** An entry of an older term is committed because a majority holds it (figure 8 of the Raft paper). */
  readonly commitsOlderTermByCount: boolean
  /** A leader answers reads without asking whether it still leads. */
  readonly answersReadWithoutQuorum: boolean
  /** What a learner acknowledged counts towards a commit. */
  readonly countsLearnerInQuorum: boolean
  /** A vote leaves before it is durable, and never becomes durable. */
  readonly sendsVoteBeforePersist: boolean
}

/** A correct node. */
export const noPlantedBugs: PlantedBugs = {
  commitsOlderTermByCount: false,
  answersReadWithoutQuorum: false,
  countsLearnerInQuorum: false,
  sendsVoteBeforePersist: false,
}
