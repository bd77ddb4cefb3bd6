/**
 * When revisions came to be. The main process alone notes what it sees, so that a revision has the same time in every screen;
 * here is what was asked of it. What is not known is never guessed.
 */

import { defineStore } from 'pinia'
import { shallowRef, triggerRef, watch } from 'vue'
import { revisionTimesMax } from '../../preload/contract/limits.ts'
import type { RevisionAtReply, RevisionTime } from '../../preload/contract/revision-time.ts'
import { CallError } from '../api/bridge.ts'
import { connectionApi } from '../api/host-api.ts'
import { useConnectionStore } from './connections.ts'

/** What is known of the time of one revision. */
export type ObservedTime =
  | { readonly kind: 'observed'; readonly atMs: number }
  | { readonly kind: 'between'; readonly afterMs: number; readonly beforeMs: number }
  /** It was there at the first look. */
  | { readonly kind: 'before'; readonly beforeMs: number }
  | { readonly kind: 'unknown' }

/** Two looks so close to each other saw the revision come. */
const observedWithinMs = 1_500
/** Rows of a screen ask one by one; their questions go together. */
const askAfterMs = 16
/** Answers kept of one connection; all are asked for anew beyond. */
const keptMax = 65_536

/** Judges the bounds of a revision. */
export function observedTimeOf(time: RevisionTime | undefined): ObservedTime {
  const { afterMs, beforeMs } = time ?? {}
  if (beforeMs === undefined) return { kind: 'unknown' }
  if (afterMs === undefined) return { kind: 'before', beforeMs }
  if (beforeMs - afterMs <= observedWithinMs) return { kind: 'observed', atMs: beforeMs }
  return { kind: 'between', afterMs, beforeMs }
}

export const useObservedTimes = defineStore('observed-times', () => {
  const connections = useConnectionStore()
  /** By connection and revision. Changes in place; whoever read it is told. */
  const known = shallowRef(new Map<string, Map<number, RevisionTime>>())
  const wanted = new Map<string, Set<number>>()
  let isAsking = false

  /** What is known of the time of a revision. What was not asked for yet is unknown, and is asked for. */
  function of(connectionId: string, revision: number): ObservedTime {
    const time = known.value.get(connectionId)?.get(revision)
    if (time === undefined && revision > 0) want(connectionId, revision)
    return observedTimeOf(time)
  }

  function want(connectionId: string, revision: number): void {
    const revisions = wanted.get(connectionId) ?? new Set()
    wanted.set(connectionId, revisions.add(revision))
    if (isAsking) return
    isAsking = true
    setTimeout(() => {
      void askAll()
    }, askAfterMs)
  }

  async function askAll(): Promise<void> {
    const questions = [...wanted]
    wanted.clear()
    isAsking = false
    await Promise.all(questions.map(([id, revisions]) => ask(id, [...revisions])))
    triggerRef(known)
  }

  async function ask(connectionId: string, revisions: readonly number[]): Promise<void> {
    let times = known.value.get(connectionId)
    if (times === undefined || times.size > keptMax) times = new Map()
    known.value.set(connectionId, times)
    for (let at = 0; at < revisions.length; at += revisionTimesMax) {
      const part = revisions.slice(at, at + revisionTimesMax)
      for (const time of await answersOf(connectionId, part)) times.set(time.revision, time)
    }
  }

  // What has no upper bound yet gets one with the next look at the cluster, if anybody still shows it.
  watch(
    () => connections.connections,
    () => {
      let isAny = false
      for (const times of known.value.values()) {
        for (const { revision, beforeMs } of times.values()) {
          if (beforeMs === undefined) isAny = times.delete(revision)
        }
      }
      if (isAny) triggerRef(known)
    },
  )

  /** Which revision was the newest at a time. Throws `CallError`. */
  function revisionAt(connectionId: string, atMs: number): Promise<RevisionAtReply> {
    return connectionApi.revisionAt({ connectionId, atMs })
  }

  return { of, revisionAt }
})

/** Of a connection that is closed nothing is known; whoever shows it tells of that. */
async function answersOf(
  connectionId: string,
  revisions: readonly number[],
): Promise<readonly RevisionTime[]> {
  try {
    return await connectionApi.times({ connectionId, revisions })
  } catch (failure) {
    if (failure instanceof CallError) return revisions.map((revision) => ({ revision }))
    throw failure
  }
}
