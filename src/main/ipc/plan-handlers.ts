/** Plans of many writes, and deleted keys, for the page; see `preload/contract/plan.ts` and `bin.ts`. */

import type { Clock } from '../../core/base/clock.ts'
import type { TxnResult } from '../../core/client/kv-client.ts'
import { callChannels, streamChannels } from '../../preload/contract/channels.ts'
import {
  binRequestSchema,
  revisionChangesRequestSchema,
  type BinItem,
  type BinRequest,
  type RevisionChangesReply,
  type RevisionChangesRequest,
} from '../../preload/contract/bin.ts'
import {
  planCancelRequestSchema,
  planRequestSchema,
  planRunRequestSchema,
  type PlanItem,
  type PlanList,
  type PlanRequest,
  type PlanRunItem,
  type PlanRunRequest,
} from '../../preload/contract/plan.ts'
import { connectionRequestSchema } from '../../preload/contract/primitives.ts'
import { DeletedKeys, type BinSources } from '../bin/deleted-keys.ts'
import { readRevisionChanges } from '../bin/revision-changes.ts'
import { commandLineOf } from '../connections/command-line.ts'
import type { Connection } from '../connections/connection.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import type { OperationLog } from '../connections/operation-log.ts'
import { PlanHost, type PlanTarget } from '../plans/plan-host.ts'
import { bridgeErrorOf } from './bridge-error.ts'
import type { IpcRouter } from './ipc-router.ts'
import { intervalOf } from './key-conversion.ts'
import { endingWith } from './stream-handlers.ts'

/** What the handlers work on. */
export interface PlanHandlerParts {
  readonly clock: Clock
  readonly connections: ConnectionManager
  readonly operations: OperationLog
}

/** Such a server has delivered everything when nothing came for this long; it takes up to a second to begin. */
const quietMs = 4_000
/** Keys that the command line of an operation names; a hundred would be a page of it. */
const keysInCommandLine = 3

export function registerPlanHandlers(router: IpcRouter, parts: PlanHandlerParts): void {
  const { clock, connections } = parts
  const host = new PlanHost({ clock, target: (connectionId) => targetOf(parts, connectionId) })
  router.stream<PlanRequest, PlanItem>(streamChannels.plansOpen, planRequestSchema, {
    policyOf: () => ({
      sizeBytesOf: (item) => (item.kind === 'rows' ? item.columns.keyBytes.length : 0),
    }),
    begin: (request, sink) => {
      connections.get(request.connectionId)
      return endingWith(connections, request.connectionId, sink, host.open(request, sink))
    },
  })
  router.stream<PlanRunRequest, PlanRunItem>(streamChannels.plansRun, planRunRequestSchema, {
    begin: (request, sink) => host.run(request, sink),
  })
  router.call(callChannels.plansCancel, planCancelRequestSchema, ({ planId }) => {
    host.cancel(planId)
    return null
  })
  router.call(callChannels.plansList, connectionRequestSchema, ({ connectionId }): PlanList => ({
    reports: host.reports(connectionId),
  }))
  router.stream<BinRequest, BinItem>(streamChannels.binOpen, binRequestSchema, {
    policyOf: () => ({
      sizeBytesOf: (item) => (item.kind === 'deleted' ? item.columns.keyBytes.length : 0),
    }),
    begin: (request, sink) => {
      const connection = connections.get(request.connectionId)
      const bin = new DeletedKeys(sourcesOf(clock, connection), intervalOf(request.range), {
        push: sink.push,
        onFailed: (error) => {
          sink.end(bridgeErrorOf(error))
        },
      })
      return endingWith(connections, request.connectionId, sink, bin)
    },
  })
  router.call(callChannels.binChanges, revisionChangesRequestSchema, (request) =>
    changesOf(clock, connections.get(request.connectionId), request),
  )
}

function sourcesOf(clock: Clock, connection: Connection): BinSources {
  const { kv, watch } = connection.client
  return {
    ...{ clock, kv },
    quietMs: connection.serverVersions().some(answersProgressEarly) ? quietMs : 0,
    watch: (options, listener) => watch.open(options, listener),
  }
}

/** Whether a server answers questions about progress while it still owes changes; mended in 3.4.25 and 3.5.8. */
function answersProgressEarly(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version
    .split('.')
    .map((part) => Number.parseInt(part, 10))
  if (major !== 3) return false
  return minor < 4 || (minor === 4 && patch < 25) || (minor === 5 && patch < 8)
}

function changesOf(
  clock: Clock,
  connection: Connection,
  { revision, limit }: RevisionChangesRequest,
): Promise<RevisionChangesReply> {
  return readRevisionChanges(sourcesOf(clock, connection), revision, limit)
}

function targetOf({ connections, operations }: PlanHandlerParts, connectionId: string): PlanTarget {
  const connection = connections.get(connectionId)
  const { kv, lease } = connection.client
  return {
    connectionId,
    cluster: kv,
    assertWritable: () => {
      connection.assertWritable()
    },
    listLeases: async (signal) => new Set(await lease.list({ signal })),
    grantLease: async (ttlSeconds) => {
      const commandLine = `etcdctl lease grant ${String(ttlSeconds)}`
      const start = { call: 'Lease.LeaseGrant', keyCount: 0, commandLine }
      const granted = await operations.record(connection, start, async () => ({
        ...(await lease.grant(ttlSeconds)),
        revision: 0,
      }))
      return granted.id
    },
    record: async (keys, send) => {
      const [key] = keys
      const named = commandLineOf('del', keys.slice(0, keysInCommandLine)).slice(
        'etcdctl del '.length,
      )
      const more = keys.length > keysInCommandLine ? ' …' : ''
      const start = {
        call: 'KV.Txn',
        ...(key === undefined ? {} : { key }),
        keyCount: keys.length,
        commandLine: `etcdctl txn  # ${named}${more}`,
      }
      let result: TxnResult | undefined
      const { revision } = await operations.record(connection, start, async () => {
        result = await send()
        return { revision: result.header.revision }
      })
      connection.noteRevision(revision)
      if (result === undefined) throw new Error('a transaction ended without its answer')
      return result
    },
  }
}
