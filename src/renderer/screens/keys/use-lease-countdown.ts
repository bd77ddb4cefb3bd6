import { useIntervalFn } from '@vueuse/core'
import { computed, shallowRef, watch } from 'vue'
import type { ComputedRef } from 'vue'
import type { LeaseLife } from '../../../preload/contract/lease.ts'
import { passOverCall } from '../../stores/failure-text.ts'
import { useLeaseStore } from '../../stores/leases.ts'

/** The leader is asked again this often; between its answers the seconds are counted here. */
const askEveryMs = 10_000

/** A lease and the seconds that it has left; undefined until the leader has answered. */
export function useLeaseCountdown(
  subject: () => { readonly connectionId: string; readonly lease: bigint } | undefined,
): ComputedRef<{ readonly life: LeaseLife; readonly leftSeconds: number } | undefined> {
  const leases = useLeaseStore()
  const answer = shallowRef<{ readonly life: LeaseLife; readonly atMs: number }>()
  const nowMs = shallowRef(Date.now())

  async function ask(): Promise<void> {
    const asked = subject()
    if (asked === undefined || asked.lease === 0n) return
    try {
      const life = await leases.life(asked.connectionId, asked.lease)
      if (subject()?.lease !== asked.lease) return
      nowMs.value = Date.now()
      answer.value = { life, atMs: nowMs.value }
    } catch (failure) {
      // Without an answer the last one is counted on; a lost cluster is told elsewhere.
      nowMs.value = Date.now()
      passOverCall(failure)
    }
  }

  watch(
    () => subject()?.lease,
    () => {
      answer.value = undefined
      void ask()
    },
    { immediate: true },
  )
  useIntervalFn(() => void ask(), askEveryMs)
  useIntervalFn(() => {
    nowMs.value = Date.now()
  }, 1_000)

  return computed(() => {
    if (answer.value === undefined) return undefined
    const { life, atMs } = answer.value
    const passed = Math.floor((nowMs.value - atMs) / 1_000)
    return { life, leftSeconds: Math.max(-1, life.remainingTtlSeconds - Math.max(0, passed)) }
  })
}
