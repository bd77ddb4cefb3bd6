/** The promises of the Raft paper (figure 3) and of the host's contract, checked over all nodes of a run. */
import { assert } from '../../../../src/core/base/assert.ts'
import { equalBytes } from '../../../../src/core/base/bytes.ts'
import { hexId } from '../../../../src/core/base/ids.ts'
import type { NodeId } from '../../../../src/core/base/ids.ts'
import type { Entry, LogIndex, Message, Term } from '../../../../src/core/raft/message.ts'
import type { ReadState } from '../../../../src/core/raft/ready.ts'
import type { RandomHost } from './random-cluster.ts'
import { text } from './raft-fixture.ts'

export class RaftPromises {
  answeredReadCount = 0
  private readonly hosts: readonly RandomHost[]
  private readonly leaderOfTerm = new Map<Term, NodeId>()
  private readonly voteOfTerm = new Map<string, NodeId>()
  /** Every entry that was ever written, by term and index, with the term of the one before it. */
  private readonly written = new Map<string, { readonly entry: Entry; readonly before: Term }>()
  private readonly checkedLogs = new Map<
    RandomHost,
    { readonly last: LogIndex; readonly term: Term }
  >()
  private readonly committed: (Entry | undefined)[] = []
  private readonly readFloors = new Map<string, LogIndex>()
  private commitMax: LogIndex = 0

  constructor(hosts: readonly RandomHost[]) {
    this.hosts = hosts
  }

  get leaderCount(): number {
    return this.leaderOfTerm.size
  }

  /** Votes and acknowledgements are true of the disk at the moment they leave. */
  noteSent(host: RandomHost, message: Message): void {
    const hardState = host.storage.initialState().hardState
    if (message.kind === 'voteResponse' && !message.isRejected) {
      const key = `${hexId(message.from)} in ${message.term}`
      const previous = this.voteOfTerm.get(key)
      assert(previous === undefined || previous === message.to, `one vote of ${key}`)
      this.voteOfTerm.set(key, message.to)
    }
    if (message.kind !== 'appendResponse' || message.isRejected || message.index === 0) return
    const diskTerm = hardState?.term ?? 0
    assert(diskTerm >= message.term, 'the term of an acknowledgement is on disk')
    // Of an older term it is still true that it was in this log before the later one began, which is all that counts.
    const isOnDisk = diskTerm > message.term || host.storage.lastIndex() >= message.index
    assert(isOnDisk, 'what is acknowledged is on disk')
  }

  noteReadAsked(context: number): void {
    this.readFloors.set(String(context), this.commitMax)
  }

  noteReads(reads: readonly ReadState[]): void {
    for (const { context, index } of reads) {
      const floor = this.readFloors.get(text(context)) ?? 0
      assert(index >= floor, 'a read sees all that was committed before it was asked for')
      this.answeredReadCount++
    }
  }

  noteApplied(entry: Entry): void {
    this.commitEntry(entry, 'applied')
  }

  /** Whether some node applied an entry with this payload. */
  hasApplied(payload: string): boolean {
    return this.committed.some((entry) => entry !== undefined && text(entry.data) === payload)
  }

  check(): void {
    for (const host of this.hosts) {
      this.checkLeader(host)
      this.checkMarks(host)
      this.checkLog(host)
    }
    this.checkAcknowledged()
  }

  /** Election safety, and leader completeness at the moment of the election. */
  private checkLeader(host: RandomHost): void {
    const { role, term, id } = host.raft
    if (role !== 'leader') return
    const known = this.leaderOfTerm.get(term)
    assert(known === undefined || known === id, `one leader of term ${term}`)
    if (known !== undefined) return
    this.leaderOfTerm.set(term, id)
    const { storage } = host
    for (let index = storage.firstIndex(); index < this.committed.length; index++) {
      const entry = this.committed[index]
      if (entry === undefined || entry.term >= term) continue
      assert(
        storage.term(index) === entry.term,
        `the leader of term ${term} holds the committed entry ${index}`,
      )
    }
  }

  private checkMarks(host: RandomHost): void {
    const { raft, storage } = host
    assert(storage.firstIndex() - 1 <= host.appliedIndex, 'the log reaches the state machine')
    assert(raft.applied <= raft.commit && raft.commit <= raft.lastIndex, 'the marks are in order')
    this.commitMax = Math.max(this.commitMax, raft.commit)
    for (const [peer, progress] of raft.status().progress) {
      assert(progress.match < progress.next, `match is below next for ${hexId(peer)}`)
    }
  }

  /** Log matching: equal term and index, equal entry and equal past. */
  private checkLog(host: RandomHost): void {
    const { storage } = host
    const last = storage.lastIndex()
    const term = storage.term(last)
    const checked = this.checkedLogs.get(host)
    if (typeof term !== 'number' || (checked?.last === last && checked.term === term)) return
    const from = storage.firstIndex()
    const entries = storage.entries({ low: from, high: last + 1, sizeBytesMax: Infinity })
    assert(typeof entries !== 'string', 'the log can be read')
    let before = storage.term(from - 1)
    for (const entry of entries) {
      assert(typeof before === 'number', 'the term before an entry is known')
      assert(before <= entry.term, 'terms never fall along the log')
      const key = `${entry.term}:${entry.index}`
      const known = this.written.get(key)
      if (known === undefined) this.written.set(key, { entry, before })
      else {
        assert(equalBytes(known.entry.data, entry.data), `one entry at ${key}`)
        assert(known.before === before, `one past of ${key}`)
      }
      before = entry.term
    }
    this.checkedLogs.set(host, { last, term })
  }

  /** What the newest leader takes for acknowledged is on that peer's disk. */
  private checkAcknowledged(): void {
    let leader: RandomHost | undefined
    for (const host of this.hosts) {
      if (host.raft.role === 'leader' && host.raft.term > (leader?.raft.term ?? 0)) leader = host
    }
    if (leader === undefined) return
    for (const host of this.hosts) {
      const progress = leader.raft.status().progress.get(host.raft.id)
      if (progress === undefined || progress.match < host.storage.firstIndex()) continue
      assert(host.storage.lastIndex() >= progress.match, 'what is acknowledged stays on disk')
      const own = leader.storage.term(progress.match)
      if (typeof own !== 'number') continue
      assert(host.storage.term(progress.match) === own, 'what is acknowledged is the same entry')
    }
  }

  /** State machine safety: one entry for each index, for ever. */
  private commitEntry(entry: Entry, what: string): void {
    const known = this.committed[entry.index]
    if (known === undefined) {
      this.committed[entry.index] = entry
      return
    }
    const isSame = known.term === entry.term && equalBytes(known.data, entry.data)
    assert(isSame, `one entry is ${what} at ${entry.index}`)
  }
}
