/** How busy the past of a range was, and its changes one after the other; see `preload/contract/activity.ts`. */

import type { Clock } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import {
  activityFindRequestSchema,
  activityRequestSchema,
  type ActivityItem,
  type ActivityRequest,
} from '../../preload/contract/activity.ts'
import { callChannels, streamChannels } from '../../preload/contract/channels.ts'
import type { Connection } from '../connections/connection.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import { ActivityReplay } from '../travel/activity-replay.ts'
import { bridgeErrorOf } from './bridge-error.ts'
import type { IpcRouter } from './ipc-router.ts'
import { intervalOf } from './key-conversion.ts'
import { endingWith } from './stream-handlers.ts'
import type { StreamPolicy, StreamSink } from './stream-hub.ts'

export function registerActivityHandlers(
  router: IpcRouter,
  parts: { readonly clock: Clock; readonly connections: ConnectionManager },
): void {
  const { clock, connections } = parts
  const replays = new Map<number, ActivityReplay>()
  let lastId = 0
  router.stream<ActivityRequest, ActivityItem>(streamChannels.activityOpen, activityRequestSchema, {
    policyOf: (): StreamPolicy<ActivityItem> => ({ keepsNewestOnly: true }),
    begin: (request, sink) => {
      const activityId = ++lastId
      const connection = connections.get(request.connectionId)
      const source = openActivity({ clock, connection, replays, activityId }, request, sink)
      return endingWith(connections, request.connectionId, sink, source)
    },
  })
  router.call(
    callChannels.activityFind,
    activityFindRequestSchema,
    ({ activityId, revision, direction }) =>
      Promise.resolve(
        replays.get(activityId)?.find(revision, direction) ?? { kind: 'unknown' as const },
      ),
  )
}

interface ActivityParts {
  readonly clock: Clock
  readonly connection: Connection
  readonly replays: Map<number, ActivityReplay>
  readonly activityId: number
}

function openActivity(
  { clock, connection, replays, activityId }: ActivityParts,
  request: ActivityRequest,
  sink: StreamSink<ActivityItem>,
): Disposable {
  const abort = new AbortController()
  const interval = intervalOf(request.range)
  const { signal } = abort
  connection.client.kv
    .range(interval, { limit: 1, isKeysOnly: true, signal })
    .then(({ header }) => {
      if (signal.aborted) return
      const replay = new ActivityReplay(clock, connection.client.watch, {
        interval,
        headRevision: header.revision,
        onPicture: (picture) => {
          connection.noteRevision(picture.headRevision)
          sink.push({ activityId, ...picture })
        },
        onRefused: (error) => {
          sink.end(bridgeErrorOf(error))
        },
      })
      replays.set(activityId, replay)
    })
    .catch((error: unknown) => {
      sink.end(bridgeErrorOf(error))
    })
  return {
    dispose: () => {
      abort.abort()
      replays.get(activityId)?.dispose()
      replays.delete(activityId)
    },
  }
}
