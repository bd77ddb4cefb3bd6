/**
 * What is committed, as far as the outside can tell: the entries that a majority of the voters held durably when somebody
 * first acted on them. Checkers share it; it checks I7 (commit needs a real quorum) by itself, because without that there
 * is nothing to share.
 */
import type { LoggedEntry } from '../harness/durable-log.ts'
import { quorumOf, type ObservedNode, type Report } from './checker.ts'

/** A known entry with the term of the one before it. */
export interface KnownEntry {
  readonly entry: LoggedEntry
  previousTerm: number | undefined
}

export interface CommittedEntry {
  readonly entry: LoggedEntry
  /** Term in which the commit was first seen. */
  readonly commitTerm: number
}

const name = 'I7 commit needs a real quorum'

export class CommittedLog {
  /** Every entry ever seen durable anywhere, by index and term. */
  readonly known = new Map<string, KnownEntry>()
  readonly committed: CommittedEntry[] = []
  private readonly nodes: readonly ObservedNode[]
  private readonly report: Report
  /** Entries that are committed from the beginning. */
  readonly bootstrapCount: number

  /** @param bootstrapCount  first entries of term 1 that every member of a new cluster writes as committed by itself */
  constructor(nodes: readonly ObservedNode[], report: Report, bootstrapCount = 0) {
    this.nodes = nodes
    this.report = report
    this.bootstrapCount = bootstrapCount
  }

  /** Highest index known to be committed. */
  get lastIndex(): number {
    return this.committed.length
  }

  /** The committed entry at an index. */
  find(index: number): CommittedEntry | undefined {
    return this.committed[index - 1]
  }

  /** An entry became durable on some node. */
  note(entry: LoggedEntry, previousTerm: number | undefined): void {
    const key = entryKey(entry.index, entry.term)
    const known = this.known.get(key)
    if (known === undefined) this.known.set(key, { entry, previousTerm })
    else known.previousTerm ??= previousTerm
  }

  /** Somebody acts on everything up to `index` being committed, in `term`. */
  noteCommit(index: number, term: number): void {
    if (index <= this.lastIndex) return
    const entryTerm = index <= this.bootstrapCount ? 1 : this.termHeldByQuorum(index)
    if (entryTerm === undefined) {
      const held = this.nodes
        .map((node) => `${node.name}: ${String(node.log.termAt(index))}`)
        .join(', ')
      this.report(
        name,
        `index ${index} is treated as committed in term ${term}, but no quorum holds it durably (terms ${held})`,
      )
      return
    }
    this.append(index, entryTerm, term)
  }

  private termHeldByQuorum(index: number): number | undefined {
    const quorum = quorumOf(this.nodes)
    const voters = this.nodes.filter((node) => node.isVoter)
    for (const candidate of voters) {
      const term = candidate.log.termAt(index)
      if (
        term !== undefined &&
        voters.filter((node) => node.log.holds(index, term)).length >= quorum
      )
        return term
    }
    return undefined
  }

  private append(index: number, entryTerm: number, commitTerm: number): void {
    const chain: CommittedEntry[] = []
    let term: number | undefined = entryTerm
    for (let position = index; position > this.lastIndex; position--) {
      const known: KnownEntry | undefined =
        term === undefined ? undefined : this.known.get(entryKey(position, term))
      if (known === undefined) {
        this.report(
          name,
          `the entry ${position} of term ${String(term)}, committed below ${index}, was never durable anywhere`,
        )
        return
      }
      chain.push({ entry: known.entry, commitTerm })
      term = known.previousTerm
    }
    const below = this.find(this.lastIndex)
    if (below !== undefined && term !== undefined && below.entry.term !== term) {
      this.report(
        name,
        `index ${index} is committed on top of term ${term} at ${this.lastIndex}, where term ${below.entry.term} was committed before`,
      )
      return
    }
    this.committed.push(...chain.reverse())
  }
}

/** Names an entry: two logs with the same name for it must agree on everything up to it. */
export function entryKey(index: number, term: number): string {
  return `${index}/${term}`
}
