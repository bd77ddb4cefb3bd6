import { onMounted, shallowRef, type ShallowRef } from 'vue'
import type { RevisionChangesReply } from '../../../preload/contract/bin.ts'
import type { BinEntry } from '../../stores/bin-pane.ts'
import { useBinStore } from '../../stores/bins.ts'
import { failureLine, isCompacted } from '../../stores/failure-text.ts'

/** What is read of one deleted key when it is opened. */
export interface DeletedKeyRead {
  /** Its last value. */
  readonly value: Readonly<ShallowRef<Uint8Array | undefined>>
  /** How the reading of the value went. */
  readonly status: Readonly<ShallowRef<'loading' | 'ready' | 'compacted' | 'absent' | 'failed'>>
  /** Why it failed. */
  readonly failure: Readonly<ShallowRef<string>>
  /** All that was written by the transaction of the deletion. */
  readonly together: Readonly<ShallowRef<RevisionChangesReply | undefined>>
  /** Why that could not be read. */
  readonly togetherFailure: Readonly<ShallowRef<string>>
}

/** Reads the last value of a deleted key, and what went with it, once the component stands. */
export function useDeletedKey(connectionId: string, entry: BinEntry): DeletedKeyRead {
  const bins = useBinStore()
  const value = shallowRef<Uint8Array>()
  const status = shallowRef<'loading' | 'ready' | 'compacted' | 'absent' | 'failed'>('loading')
  const failure = shallowRef('')
  const together = shallowRef<RevisionChangesReply>()
  const togetherFailure = shallowRef('')

  async function readValue(): Promise<void> {
    try {
      value.value = await bins.lastValueOf(connectionId, entry)
      status.value = value.value === undefined ? 'absent' : 'ready'
    } catch (error) {
      failure.value = failureLine(error)
      status.value = isCompacted(error) ? 'compacted' : 'failed'
    }
  }

  async function readTogether(): Promise<void> {
    try {
      together.value = await bins.changesOf(connectionId, entry.deletedRevision)
    } catch (error) {
      togetherFailure.value = failureLine(error)
    }
  }

  onMounted(() => {
    void readValue()
    void readTogether()
  })
  return { value, status, failure, together, togetherFailure }
}
