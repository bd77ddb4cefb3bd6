/** Election.Observe: who leads, and each change of leader or value, until the caller has seen enough. */
import { emptyBytes } from '../base/bytes.ts'
import type { EventBatch, StoredKeyValue } from '../node/node-surface.ts'
import { LeaderRequest, LeaderResponse } from '../proto/gen/election.ts'
import { KeyValue } from '../proto/gen/kv.ts'
import type { InnerClient, InnerWatch, InnerWatchWish } from './inner-client.ts'
import { decodeStreamMessage, frameOf } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { StreamCall } from './rpc-call.ts'
import { isFatal, okStatus, statusOfError, WireError } from './status-mapping.ts'
import { WaitingLine } from './waiting-line.ts'

/** What may wait for a slow caller; its watch falls back to history beyond. */
const queuedSizeBytesMax = 1024 * 1024

/** A leader's pair, and the revision at which it was seen. */
interface Sighting {
  readonly pair: StoredKeyValue
  readonly revision: number
}

/** Serves one call. */
export class ElectionObservation {
  private readonly client: InnerClient
  private readonly headers: ResponseHeaders
  private readonly call: StreamCall
  private current: Pick<InnerWatch<unknown>, 'canceled' | 'resume'> | undefined
  private hasBegun = false

  constructor(client: InnerClient, headers: ResponseHeaders, call: StreamCall) {
    this.client = client
    this.headers = headers
    this.call = call
  }

  /** Begins to read the request. */
  open(): void {
    this.call.onEnd(() => {
      this.current?.canceled()
    })
    this.call.onDrain(() => {
      this.current?.resume()
    })
    this.call.read(
      (message) => {
        this.begin(message)
      },
      () => {
        if (!this.hasBegun) this.call.end(statusOfError(new WireError('unknown', 'EOF')))
      },
    )
  }

  private begin(message: Uint8Array): void {
    if (this.hasBegun) return
    this.hasBegun = true
    try {
      const { name } = decodeStreamMessage(LeaderRequest, message)
      void this.observe(new WaitingLine(this.client, name))
    } catch (error) {
      this.call.end(statusOfError(error))
    }
  }

  private async observe(line: WaitingLine): Promise<void> {
    try {
      while (!this.call.hasEnded) {
        const leader = await this.findLeader(line)
        if (leader === undefined) continue
        this.send(leader)
        await this.follow(leader)
      }
    } catch (error) {
      if (isFatal(error)) {
        this.call.end(statusOfError(error))
        throw error
      }
      // etcd does not tell the reason here: what it cannot read has simply ended. Of a call that is over nobody hears.
      this.call.end(okStatus)
    }
  }

  /** Who leads, or the first who comes; undefined: look again. */
  private async findLeader(line: WaitingLine): Promise<Sighting | undefined> {
    const { keyValues, revision } = await line.findOldest()
    const [pair] = keyValues
    if (pair !== undefined) return { pair, revision }
    return this.watch<Sighting>({
      ...line.keys,
      startRevision: revision + 1,
      kind: 'put',
      take: ({ changes: [first] }) =>
        first && { pair: first.keyValue, revision: first.keyValue.modRevision },
    })
  }

  /** Tells what a leader proclaims, until its key is gone. */
  private async follow({ pair, revision }: Sighting): Promise<void> {
    await this.watch<true>({
      key: pair.key,
      rangeEnd: emptyBytes,
      startRevision: revision + 1,
      kind: 'any',
      take: (batch) => this.tell(batch),
      hasRoom: () => this.call.queuedBytes < queuedSizeBytesMax,
    })
  }

  /** @returns true once the key is gone */
  private tell({ changes, revision }: EventBatch): true | undefined {
    for (const { kind, keyValue: pair } of changes) {
      if (kind === 'delete') return true
      this.send({ pair, revision })
    }
    return undefined
  }

  private watch<Result>(wish: InnerWatchWish<Result>): Promise<Result | undefined> {
    const watch = this.client.watch(wish)
    this.current = watch
    // The call may have ended while something else was awaited.
    if (this.call.hasEnded) watch.canceled()
    return watch.outcome
  }

  private send({ pair, revision }: Sighting): void {
    const header = this.headers.message(revision)
    this.call.send(frameOf(LeaderResponse, { header, kv: KeyValue.decode(pair.encoded) }))
  }
}
