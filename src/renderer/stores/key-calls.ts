/** Calls about keys that leave nothing behind in a store. */

import type { KeyValue, PutReply } from '../../preload/contract/kv.ts'
import { kvApi } from '../api/kv-api.ts'

/** Writes a key that must not exist: a new one, or a deleted one as it was. Throws `CallError`. */
export function putNewKey(
  connectionId: string,
  pair: { readonly key: Uint8Array; readonly value: Uint8Array; readonly lease?: bigint },
): Promise<PutReply> {
  return kvApi.put({ connectionId, ...pair, expectedModRevision: 0 })
}

/** How many keys a connection holds at its head. Throws `CallError`. */
export async function countKeys(connectionId: string): Promise<number> {
  const range = { kind: 'all' } as const
  return (await kvApi.count({ connectionId, range, revision: 0 })).count
}

/** One key with its whole value, as of a revision (0: the newest); undefined where it does not exist. Throws `CallError`. */
export async function getKey(
  connectionId: string,
  key: Uint8Array,
  revision: number,
): Promise<KeyValue | undefined> {
  return (await kvApi.get({ connectionId, key, revision })).pair
}

/** Gives a key another lease (0: none) if nobody wrote it since it was read; its value stays. Throws `CallError`. */
export function putLease(connectionId: string, pair: KeyValue, lease: bigint): Promise<PutReply> {
  const { key, value, modRevision } = pair
  return kvApi.put({ connectionId, key, value, lease, expectedModRevision: modRevision })
}
