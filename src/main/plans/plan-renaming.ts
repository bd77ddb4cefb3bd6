/**
 * Another prefix for every key under one.
 *
 * A key and its new name are two rows that are bound to each other. The new one must not exist, neither now nor when the plan
 * runs; one that does is a conflict, and its key keeps its name. Values are kept until the plan runs, because the row that
 * writes one has another key than the one it is read from.
 */

import { planValuesSizeBytesMax } from '../../preload/contract/limits.ts'
import type { KeyValue } from '../../core/client/key-value.ts'
import { HostError } from '../host-error.ts'
import { intervalOf } from '../ipc/key-conversion.ts'
import type { PlanBuilder } from './plan-builder.ts'
import { chunkKeys, LeaseJudge, Progress } from './plan-context.ts'
import type { PlanContext, PlanPlace } from './plan-context.ts'
import { pairsOf, readKeys } from './plan-reading.ts'

/**
 * Computes the plan into a builder. Leases stay with their keys.
 *
 * @throws StoreError  what the cluster refuses
 * @throws HostError   `invalidRequest` when the values are more than a plan may keep
 */
export async function computeRename(
  context: PlanContext,
  { prefix, to }: { readonly prefix: Uint8Array; readonly to: Uint8Array },
  builder: PlanBuilder,
): Promise<PlanPlace> {
  const { target, signal } = context
  const progress = new Progress(context)
  const judge = new LeaseJudge(context)
  let revision = 0
  let valuesSizeBytes = 0
  let chunk: KeyValue[] = []

  async function takeChunk(): Promise<void> {
    const names = chunk.map(({ key }) => joined(to, key.subarray(prefix.length)))
    const wanted = names.map((key) => ({ key, revision }))
    const taken = await readKeys(target, wanted, signal)
    for (const [at, pair] of chunk.entries()) {
      const value = await judge.wantedOf(pair, 0)
      builder.rename({ from: pair, to: names[at] ?? to, taken: taken[at] }, value)
    }
    chunk = []
  }

  const pairs = pairsOf(target, {
    ...{ interval: intervalOf({ kind: 'prefix', prefix }), revision: 0, signal },
    onPinned: (pinned, totalCount) => {
      revision = pinned
      progress.addTotal(totalCount)
    },
  })
  for await (const pair of pairs) {
    valuesSizeBytes += pair.value.length
    if (valuesSizeBytes > planValuesSizeBytesMax) {
      const limit = String(planValuesSizeBytesMax / 1_048_576)
      const text = `A plan of new names holds at most ${limit} MiB of values; take a narrower prefix`
      throw new HostError('invalidRequest', text)
    }
    chunk.push(pair)
    progress.step()
    if (chunk.length >= chunkKeys) await takeChunk()
  }
  await takeChunk()
  return { revision, sourceRevision: 0 }
}

function joined(prefix: Uint8Array, rest: Uint8Array): Uint8Array {
  const key = new Uint8Array(prefix.length + rest.length)
  key.set(prefix)
  key.set(rest, prefix.length)
  return key
}
