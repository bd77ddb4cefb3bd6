/**
 * Keys that stand in line: who holds a lock, or leads an election, is whoever created the oldest key below its name.
 *
 * Each contender has a key of its own, named after its lease, so the key ends with the lease and nobody keeps a place after
 * death. A contender waits until all keys that are older than its own are gone, always for the youngest of them, so that
 * one departure wakes one contender. Example: `name/7` was created at 12, `name/9` at 15, `name/3` at 20. 7 holds, 9 waits
 * for 7, 3 waits for 9; should 9 give up, 3 looks again and then waits for 7.
 *
 * @see etcd v3 API, "Lock and election services"; the recipes of etcd's client library, with the same keys, so that both
 * can be mixed
 */
import type { RangeResult } from '../node/node-surface.ts'
import {
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RangeRequest,
} from '../proto/gen/rpc.ts'
import { concatBytes, emptyBytes, prefixEnd } from '../base/bytes.ts'
import type { InnerClient } from './inner-client.ts'

const separator = Buffer.from('/')
/** Time of a lease that is granted to whoever brings none, in seconds. */
const ownLeaseTtlSeconds = 60n

/** All keys below one name. */
export class WaitingLine {
  private readonly client: InnerClient
  private readonly prefix: Uint8Array
  private readonly end: Uint8Array

  /** @param name  copied */
  constructor(client: InnerClient, name: Uint8Array) {
    this.client = client
    this.prefix = concatBytes([name, separator])
    this.end = prefixEnd(this.prefix) ?? emptyBytes
  }

  /** The key of a lease; a negative id keeps its sign, as Go prints it. */
  keyOf(lease: bigint): Uint8Array {
    return concatBytes([this.prefix, Buffer.from(lease.toString(16))])
  }

  /** A request for the one who holds the line. */
  get oldest(): Partial<RangeRequest> {
    return {
      key: this.prefix,
      rangeEnd: this.end,
      limit: 1n,
      sortOrder: RangeRequest_SortOrder.ASCEND,
      sortTarget: RangeRequest_SortTarget.CREATE,
    }
  }

  /** All keys of the line, as a range to watch. */
  get keys(): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
    return { key: this.prefix, rangeEnd: this.end }
  }

  findOldest(): Promise<RangeResult> {
    return this.client.range(this.oldest)
  }

  /**
   * Waits until every key that was created before this revision is gone.
   * @throws WireError  a read was refused; StoreError `contextCanceled`
   */
  async waitForOlder(createRevision: number): Promise<void> {
    for (;;) {
      const older = await this.client.range({
        ...this.oldest,
        sortOrder: RangeRequest_SortOrder.DESCEND,
        maxCreateRevision: BigInt(createRevision - 1),
      })
      const youngest = older.keyValues[0]
      if (youngest === undefined) return
      // Should history go away meanwhile, the next look tells.
      await this.client.watch({
        key: youngest.key,
        rangeEnd: emptyBytes,
        startRevision: older.revision + 1,
        kind: 'delete',
        take: () => true,
      }).outcome
    }
  }
}

/** The lease that a contender brings, or a new one that nobody keeps alive. */
export async function leaseOf(client: InnerClient, lease: bigint): Promise<bigint> {
  return lease === 0n ? client.grantLease(ownLeaseTtlSeconds) : lease
}
