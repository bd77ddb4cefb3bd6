import { hashOfBytes } from '../harness/trace.ts'
import type { Entry } from '../../../src/core/raft/message.ts'
import type { Checker, ObservedNode, Report } from './checker.ts'
import { entryKey } from './committed-log.ts'
import type { LoggedEntry } from '../harness/durable-log.ts'

interface Seen {
  readonly hash: number
  previousTerm: number | undefined
}

/** I2: same index and term means same bytes there, and the same entry before; by induction the same log. */
export interface LogMatching extends Checker {
  /** An entry became durable. */
  logged(entry: LoggedEntry, previousTerm: number | undefined, node: ObservedNode): void
}

const typeNumbers = { normal: 0, confChange: 1, confChangeV2: 2 } as const

/** Compares what appends carry and what logs hold. */
export function logMatching(report: Report): LogMatching {
  const name = 'I2 log matching'
  const seen = new Map<string, Seen>()
  const check = (
    found: { index: number; term: number; hash: number; previousTerm: number | undefined },
    where: string,
  ): void => {
    const key = entryKey(found.index, found.term)
    const known = seen.get(key)
    if (known === undefined) {
      seen.set(key, { hash: found.hash, previousTerm: found.previousTerm })
      return
    }
    if (known.hash !== found.hash) report(name, `entry ${key} has other bytes ${where}`)
    if (
      known.previousTerm !== undefined &&
      found.previousTerm !== undefined &&
      known.previousTerm !== found.previousTerm
    ) {
      report(
        name,
        `entry ${key} follows term ${found.previousTerm} ${where}, and term ${known.previousTerm} elsewhere`,
      )
    }
    known.previousTerm ??= found.previousTerm
  }
  return {
    name,
    logged: (entry, previousTerm, node) => {
      check({ ...entry, previousTerm }, `in the log of ${node.name}`)
    },
    sent: (message, node) => {
      if (message.kind !== 'append') return
      let previousTerm: number | undefined = message.previousTerm
      let previousIndex = message.previousIndex
      for (const entry of message.entries) {
        if (entry.index !== previousIndex + 1)
          report(name, `${node.name} sends entry ${entry.index} after ${previousIndex}`)
        check(
          { index: entry.index, term: entry.term, hash: entryHash(entry), previousTerm },
          `in an append of ${node.name}`,
        )
        previousTerm = entry.term
        previousIndex = entry.index
      }
    },
  }
}

/** The same hash as the durable log's, of an entry on its way. */
export function entryHash(entry: Entry): number {
  return hashOfBytes(entry.data) ^ typeNumbers[entry.kind]
}
