/** What one revision changed, in the whole keyspace: replayed by a watch that begins there. */

import { copyBytes } from '../../core/base/bytes.ts'
import type { Timer } from '../../core/base/clock.ts'
import { StoreError } from '../../core/errors/store-error.ts'
import { intervalOfPrefix } from '../../core/client/key-value.ts'
import type { WatchEvent } from '../../core/client/watch-client.ts'
import type { RevisionChange } from '../../preload/contract/bin.ts'
import type { BinSources, BinWatch } from './deleted-keys.ts'

const timeoutMs = 5_000

/** The changes of one revision. */
export interface ChangesOfRevision {
  readonly changes: readonly RevisionChange[]
  readonly changeCount: number
}

/**
 * Replays one revision.
 *
 * @throws StoreError  `compacted` when the revision is gone; what the cluster refuses
 */
export function readRevisionChanges(
  sources: Pick<BinSources, 'clock' | 'watch'>,
  revision: number,
  limit: number,
): Promise<ChangesOfRevision> {
  return new Promise((resolve, reject) => {
    const changes: RevisionChange[] = []
    let changeCount = 0
    let timer: Timer | undefined = undefined
    const finish = (error?: StoreError): void => {
      timer?.cancel()
      watch.dispose()
      if (error === undefined) resolve({ changes, changeCount })
      else reject(error)
    }
    const take = (events: readonly WatchEvent[]): void => {
      let isBehind = false
      for (const event of events) {
        isBehind ||= event.pair.modRevision > revision
        if (event.pair.modRevision !== revision) continue
        changeCount++
        if (changes.length < limit) changes.push(changeOf(event))
      }
      // All events of a revision come together, so that none is missing once there are some.
      if (isBehind || changeCount > 0) finish()
    }
    const watch: BinWatch = sources.watch(
      {
        interval: intervalOfPrefix(new Uint8Array(0)),
        startRevision: revision,
        needsPrevious: false,
      },
      {
        onStarted: () => undefined,
        onEvents: take,
        onProgress: () => undefined,
        onInterrupted: () => undefined,
        onGap: () => {
          finish(new StoreError('compacted', { revision }))
        },
        onRefused: finish,
      },
    )
    // A revision that changed nothing (there are none in a store that works) must not keep anybody waiting.
    timer = sources.clock.setTimer(timeoutMs, () => {
      finish()
    })
  })
}

function changeOf({ kind, pair }: WatchEvent): RevisionChange {
  const key = copyBytes(pair.key)
  return kind === 'delete'
    ? { kind, key, valueSizeBytes: -1, version: 0 }
    : { kind, key, valueSizeBytes: pair.value.length, version: pair.version }
}
