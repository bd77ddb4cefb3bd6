/** How busy the past of one range was, as a slider shows it, and steps from one change to the next. */

import { shallowRef } from 'vue'
import type { ActivityFindReply, ActivityItem } from '../../preload/contract/activity.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import { kvApi } from '../api/kv-api.ts'
import { streamApi } from '../api/stream-api.ts'

/** One range of one connection. It goes on with what is written until it is closed. */
export class RevisionActivity {
  readonly connectionId: string
  readonly range: KeyRange
  /** Absent until the first answer. */
  readonly picture = shallowRef<ActivityItem>()
  /** Why there is no picture, or none any more. */
  readonly error = shallowRef<unknown>()
  private stream: Subscription | undefined

  constructor(connectionId: string, range: KeyRange) {
    this.connectionId = connectionId
    this.range = range
    this.open()
  }

  /** Begins anew: what is known of the oldest revision may have become untrue. The picture stays until the next one. */
  open(): void {
    this.stream?.close()
    this.error.value = undefined
    const { connectionId, range } = this
    this.stream = streamApi.activity(
      { connectionId, range },
      {
        onBatch: (items) => {
          this.picture.value = items.at(-1) ?? this.picture.value
        },
        onEnd: (failure) => {
          this.error.value = failure
          this.stream = undefined
        },
      },
    )
  }

  /** The nearest revision that changed the range before or after another one. Throws `CallError`. */
  async find(revision: number, direction: 'previous' | 'next'): Promise<ActivityFindReply> {
    const activityId = this.picture.value?.activityId
    if (activityId === undefined) return { kind: 'unknown' }
    return kvApi.findChange({ activityId, revision, direction })
  }

  close(): void {
    this.stream?.close()
    this.stream = undefined
  }
}
