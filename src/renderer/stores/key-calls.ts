/** Calls about keys that leave nothing behind in a store. */

import type { RevisionTime } from '../../preload/contract/bin.ts'
import type { DeleteKeysReply, PutReply } from '../../preload/contract/kv.ts'
import { CallError } from '../api/bridge.ts'
import { kvApi } from '../api/kv-api.ts'
import { binApi } from '../api/plan-api.ts'

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

/** Keys of one call: each batch is a step of the progress that is shown. */
const keysPerCall = 500

/** Deletes keys in batches, each only if it is still as it was seen; yields what became of each batch. Throws `CallError`. */
export async function* deleteSome(
  connectionId: string,
  rows: readonly { readonly key: Uint8Array; readonly modRevision: number }[],
): AsyncGenerator<DeleteKeysReply> {
  for (let first = 0; first < rows.length; first += keysPerCall) {
    const keys = rows.slice(first, first + keysPerCall).map(({ key, modRevision }) => ({
      key: Uint8Array.from(key),
      expectedModRevision: modRevision,
    }))
    yield await kvApi.deleteKeys({ connectionId, keys })
  }
}

/** When a revision came to be, as far as this app saw it; undefined where that cannot be asked, for example compacted. */
export async function findRevisionTime(
  connectionId: string,
  revision: number,
): Promise<RevisionTime | undefined> {
  try {
    return (await binApi.changes({ connectionId, revision, limit: 1 })).time
  } catch (failure) {
    if (failure instanceof CallError) return undefined
    throw failure
  }
}
