/**
 * When requests wait a moment for others that are about to come, so that all of them share a sync.
 *
 * The problem: clients that ask again once they are answered come in groups. What arrives during a sync makes the next
 * group, and the two then take turns for ever: each pays for a sync of its own, with half of the clients in it. The plain
 * idea: whoever was answered a moment ago is about to ask again. So the requests that came meanwhile wait for them, and the
 * two groups become one, and stay one. The wait ends when as many are there as are known, or when nobody has come for a
 * tenth of a millisecond, which is less than the sync that is saved. A client alone is never waited for, and where waiting
 * was in vain it is left for a while.
 */
import type { Clock } from '../base/clock.ts'

/** Groups above this size share a sync well enough, and their clients take longer than a moment. */
const groupCountMax = 32
/** Of groups of one, so many pass until one is looked at. */
const singlesPerLook = 16
/** How long nobody may have come. */
const silenceMsMax = 0.1
/** How long all of a wait may take. */
const waitMsMax = 0.4
/** As many turns of the loop; where time stands still, this is what ends a wait. */
const waitTurnsMax = 256
/** After one wait in vain so many groups are not waited for, and twice as many after each further one. */
const restGroupsMin = 2
const restGroupsMax = 256

/** The groups of one node. */
export class GroupGathering {
  private readonly clock: Clock
  /** So many requests are expected in the next group. */
  private expectedCount = 0
  private singleCount = 0
  private isWaiting = false
  private startedMs = 0
  private lastCameMs = 0
  private lastCount = 0
  private turnCount = 0
  /** Groups that are still to be left alone, and how many that will be after the next wait in vain. */
  private restGroups = 0
  private nextRestGroups = restGroupsMin

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Whether {@link noteAnswered} should be called for so many answers. */
  wantsToKnow(answeredCount: number): boolean {
    if (answeredCount !== 1) return answeredCount > 0
    // A client alone would pay for the call with a look for input; two that take turns are found soon enough.
    this.singleCount = (this.singleCount + 1) % singlesPerLook
    return this.singleCount === 0
  }

  /**
   * Answers went out.
   * @param answeredCount  how many
   * @param queuedCount  requests that had come before those clients could ask again
   */
  noteAnswered(answeredCount: number, queuedCount: number): void {
    this.expectedCount = answeredCount + queuedCount
  }

  /** Whether so many requests should wait for the next turn of the loop; to be asked again then. */
  waitsWith(queuedCount: number): boolean {
    if (queuedCount === 0) return false
    const { expectedCount } = this
    if (queuedCount >= expectedCount || expectedCount > groupCountMax) {
      this.end(queuedCount >= expectedCount)
      return false
    }
    const nowMs = this.clock.monotonicMs()
    if (!this.isWaiting) {
      if (this.restGroups > 0) {
        this.restGroups--
        this.expectedCount = 0
        return false
      }
      this.isWaiting = true
      this.startedMs = nowMs
      this.turnCount = 0
      this.lastCount = 0
    }
    if (queuedCount > this.lastCount) {
      this.lastCount = queuedCount
      this.lastCameMs = nowMs
    }
    this.turnCount++
    const isOver =
      nowMs - this.lastCameMs > silenceMsMax ||
      nowMs - this.startedMs > waitMsMax ||
      this.turnCount > waitTurnsMax
    if (isOver) this.end(false)
    return !isOver
  }

  private end(isComplete: boolean): void {
    this.expectedCount = 0
    if (!this.isWaiting) return
    this.isWaiting = false
    if (isComplete) {
      this.nextRestGroups = restGroupsMin
      return
    }
    this.restGroups = this.nextRestGroups
    this.nextRestGroups = Math.min(restGroupsMax, this.nextRestGroups * 2)
  }
}
