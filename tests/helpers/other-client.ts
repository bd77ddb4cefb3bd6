/** Somebody else who works on the cluster that a window is connected to. */

import { Client } from '../../src/core/client/client.ts'
import { intervalOfPrefix } from '../../src/core/client/key-value.ts'
import { leaseId } from '../../src/core/base/ids.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { systemRandom } from '../../src/core/io/system-random.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === 'string' ? encoder.encode(text) : text

/** Operations in one transaction that every server takes. */
const batchSize = 100

/** What another client sees of a key. */
export interface SeenKey {
  readonly value: string
  readonly version: number
  readonly lease: bigint
  readonly modRevision: number
}

/** A client of its own, outside of the app. */
export class OtherClient {
  private readonly client: Client

  constructor(endpoints: readonly string[]) {
    this.client = new Client({ clock: systemClock, random: systemRandom, endpoints })
  }

  async put(key: string | Uint8Array, value: string | Uint8Array, lease?: bigint): Promise<number> {
    const options = lease === undefined ? {} : { lease }
    const { header } = await this.client.kv.put(bytesOf(key), bytesOf(value), options)
    return header.revision
  }

  /** Writes many keys, a hundred in a transaction. */
  async putAll(pairs: readonly (readonly [string, string])[]): Promise<void> {
    for (let from = 0; from < pairs.length; from += batchSize) {
      await this.client.kv.txn({
        compares: [],
        thenOperations: pairs.slice(from, from + batchSize).map(([key, value]) => ({
          kind: 'put',
          key: bytesOf(key),
          value: bytesOf(value),
          lease: 0n,
        })),
        elseOperations: [],
      })
    }
  }

  async delete(key: string | Uint8Array): Promise<void> {
    await this.client.kv.deleteRange({ start: bytesOf(key) })
  }

  async deletePrefix(prefix: string): Promise<void> {
    await this.client.kv.deleteRange(intervalOfPrefix(bytesOf(prefix)))
  }

  async find(key: string | Uint8Array): Promise<SeenKey | undefined> {
    const { pair } = await this.client.kv.get(bytesOf(key))
    if (pair === undefined) return undefined
    const { value, version, lease, modRevision } = pair
    return { value: decoder.decode(value), version, lease, modRevision }
  }

  /** Every key under a prefix, with its value. */
  async stateOf(prefix: string): Promise<Readonly<Record<string, string>>> {
    const { pairs } = await this.client.kv.range(intervalOfPrefix(bytesOf(prefix)))
    return Object.fromEntries(
      pairs.map(({ key, value }) => [decoder.decode(key), decoder.decode(value)]),
    )
  }

  /** Seconds that a lease was granted for; -1 when it is not there. */
  async grantedSecondsOf(lease: bigint): Promise<number> {
    const life = await this.client.lease.timeToLive(leaseId(lease))
    return life.grantedTtlSeconds
  }

  dispose(): void {
    this.client.dispose()
  }
}
