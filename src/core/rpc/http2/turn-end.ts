/**
 * When what was gathered for the clients is written.
 *
 * The problem: a write to a client that waits wakes it up, which costs more than all else that a small request does, and a
 * client on the other processor may be asleep again before the next write. The plain idea: with many connections, all that
 * are readable at one moment are read and answered first, and then all are written, one after the other. With a single
 * one there is nothing to wait for, and it is written as soon as the chunk that came from it is used up.
 */
import { nextTick } from 'node:process'
import type { Clock } from '../../base/clock.ts'

/** Something that gathers. */
export interface Gathering {
  /** Hands over what was gathered; does nothing when that happened meanwhile. */
  flushPlanned(): void
}

/** The end of a turn, shared by the connections of a server. */
export class TurnEnd {
  /** Open connections. */
  connectionCount = 0
  private readonly clock: Clock
  private planned: Gathering[] = []

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Has `gathering` flushed soon. */
  plan(gathering: Gathering): void {
    if (this.connectionCount <= 1) {
      nextTick(flush, gathering)
      return
    }
    if (this.planned.push(gathering) === 1) this.clock.nextTurn(this.run)
  }

  private readonly run = (): void => {
    const { planned } = this
    this.planned = []
    for (const gathering of planned) gathering.flushPlanned()
  }
}

function flush(gathering: Gathering): void {
  gathering.flushPlanned()
}
