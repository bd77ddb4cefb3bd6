/** How busy the past of a range was, from the fake store, counted by the very code that counts it in the main process. */

import type { ActivityItem } from '../../src/preload/contract/activity.ts'
import type { Bridge } from '../../src/preload/contract/bridge.ts'
import { ActivityRecord } from '../../src/main/travel/activity-record.ts'
import type { FakeStore } from './fake-store.ts'

export function fakeActivity(store: FakeStore): Bridge['activity'] {
  const records = new Map<number, ActivityRecord>()
  let lastId = 0
  return {
    open: (request, listener) => {
      const activityId = ++lastId
      const send = (): void => {
        const oldestRevision = Math.max(1, store.compactedRevision + 1)
        const record = new ActivityRecord(oldestRevision, store.revision)
        const changes = [...store.changesFrom(request.range, oldestRevision)]
        changes.sort((left, right) => left.revision - right.revision)
        for (const change of changes) record.add(change.revision, 1)
        records.set(activityId, record)
        const item: ActivityItem = {
          ...{ activityId, oldestRevision, headRevision: store.revision },
          ...{ scannedRevision: store.revision, isComplete: true },
          ...{ barRevisions: record.barRevisions, bars: record.bars() },
          ...{ changeCount: record.changeCount, writeCount: record.writeCount },
        }
        listener({ kind: 'batch', items: [item] })
      }
      const first = setTimeout(send, 5)
      const timer = setInterval(send, 500)
      return {
        close: () => {
          clearTimeout(first)
          clearInterval(timer)
          records.delete(activityId)
        },
      }
    },
    find: ({ activityId, revision, direction }) => {
      const value = records.get(activityId)?.find(revision, direction) ?? {
        kind: 'unknown' as const,
      }
      return Promise.resolve({ ok: true, value })
    },
  }
}
