/** One call of a client to a node: travels, is answered or not, and is written into the history as the client saw it. */
import { CancelSource, type Cancellation } from '../../../src/core/base/cancellation.ts'
import { StoreError } from '../../../src/core/errors/store-error.ts'
import type { StoreErrorCode } from '../../../src/core/errors/error-table.ts'
import type { CompactResult, OperationResult } from '../../../src/core/apply/apply-result.ts'
import type { StoreNode } from '../../../src/core/node/store-node.ts'
import type { Random } from '../../../src/core/base/random.ts'
import type { Answered } from '../checkers/answered.ts'
import type { Report } from '../checkers/checker.ts'
import {
  plainAnswerOf,
  type ClientOutcome,
  type ClientRequest,
  type OperationRecord,
} from './history.ts'
import type { Life, SimCluster, SimNode } from './sim-cluster.ts'

/** Refusals that say for sure that nothing happened. */
const definiteCodes: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>([
  'compacted',
  'futureRevision',
  'emptyKey',
  'duplicateKey',
  'tooManyRequests',
  'requestTooLarge',
  'noSpace',
  'notSupportedForLearner',
])

export interface CallContext {
  readonly cluster: SimCluster
  readonly answered: Answered
  readonly report: Report
  readonly operations: OperationRecord[]
}

export interface CallOptions {
  readonly client: number
  readonly random: Random
  readonly timeoutUs: number
  readonly marker: string | undefined
}

/** Sends one request to a node and resolves with its record when the client knows all it ever will. */
export function callNode(
  context: CallContext,
  node: SimNode,
  request: ClientRequest,
  options: CallOptions,
): Promise<OperationRecord> {
  const { cluster, operations } = context
  const { scheduler } = cluster
  const record: OperationRecord = {
    id: operations.length,
    client: options.client,
    node: node.name,
    life: node.life?.process.ordinal ?? 0,
    request,
    marker: options.marker,
    startUs: scheduler.nowUs,
    endUs: Number.POSITIVE_INFINITY,
    outcome: { kind: 'unknown', code: 'still open' },
  }
  operations.push(record)
  return new Promise((resolve) => {
    const finish = (outcome: ClientOutcome): void => {
      if (record.endUs !== Number.POSITIVE_INFINITY) return
      record.endUs = scheduler.nowUs
      record.outcome = outcome
      timeout.isCancelled = true
      resolve(record)
    }
    const cancellation = new CancelSource()
    const label = (kind: string): { kind: string; describe: () => string } => ({
      kind,
      describe: () => `client ${options.client} ${node.name} ${describeRequest(request)}`,
    })
    const timeout = scheduler.schedule(options.timeoutUs, label('client timeout'), () => {
      finish({ kind: 'unknown', code: 'client timeout' })
      cancellation.cancel()
    })
    const travelUs = (): number => 100 + options.random.below(2_000)
    const { life } = node
    if (life?.node === undefined) {
      scheduler.schedule(travelUs(), label('refused'), () => {
        finish({ kind: 'failed', code: 'connection refused' })
      })
      return
    }
    const answer = (outcome: ClientOutcome): void => {
      scheduler.schedule(travelUs(), label(`answer ${outcome.kind}`), () => {
        finish(outcome)
      })
    }
    serve({
      context,
      node,
      life,
      request,
      record,
      cancellation,
      answer,
      marker: options.marker,
      travelUs: travelUs(),
    })
  })
}

interface Serving {
  readonly context: CallContext
  readonly node: SimNode
  readonly life: Life
  readonly request: ClientRequest
  readonly record: OperationRecord
  readonly cancellation: CancelSource
  readonly answer: (outcome: ClientOutcome) => void
  readonly marker: string | undefined
  readonly travelUs: number
}

/** The part of a call that happens at the node, and ends with its life. */
function serve(serving: Serving): void {
  const { context, node, life, request, record, answer } = serving
  const { scheduler } = context.cluster
  const onDeath = (): void => {
    context.answered.end(record.id)
    answer({ kind: 'unknown', code: 'connection lost' })
  }
  life.deathListeners.add(onDeath)
  const describe = (): string => describeRequest(request)
  const settle = (outcome: ClientOutcome): void => {
    if (!life.process.isAlive) return
    life.deathListeners.delete(onDeath)
    context.answered.end(record.id)
    answer(outcome)
  }
  scheduler.schedule(serving.travelUs, { kind: 'request', process: life.process, describe }, () => {
    const storeNode = life.node
    if (storeNode === undefined) return
    context.answered.begin(record.id, {
      description: describe(),
      node: node.name,
      startUs: scheduler.nowUs,
    })
    invoke(storeNode, request, serving.cancellation).then(
      (result) => {
        if (!life.process.isAlive) return
        const observed = context.cluster.observation.find(node.id)
        context.cluster.observation.answered({
          node: observed,
          marker: serving.marker,
          description: describe(),
        })
        settle({ kind: 'ok', answer: plainAnswerOf(result) })
      },
      (failure: unknown) => {
        if (!life.process.isAlive) return
        if (!(failure instanceof StoreError)) {
          context.report(
            'no unexpected error',
            `${node.name} answers ${describe()} with ${String(failure)} ${failure instanceof Error ? (failure.stack ?? '') : ''}`,
          )
          return
        }
        settle({
          kind: isWithoutEffect(request, failure) ? 'failed' : 'unknown',
          code: failure.code,
        })
      },
    )
  })
}

function isWithoutEffect(request: ClientRequest, failure: StoreError): boolean {
  return request.kind === 'range' || definiteCodes.has(failure.code)
}

function invoke(
  node: StoreNode,
  request: ClientRequest,
  cancellation: Cancellation,
): Promise<OperationResult | CompactResult> {
  switch (request.kind) {
    case 'put':
      return node.put(request.body, { cancellation })
    case 'deleteRange':
      return node.deleteRange(request.body, { cancellation })
    case 'txn':
      return node.txn(request.body, { cancellation })
    case 'compact':
      return node.compact(request.body, { cancellation })
    case 'range':
      return node.range(request.body, { cancellation })
  }
}

/** A request as one short line. */
export function describeRequest(request: ClientRequest): string {
  const text = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes)
  switch (request.kind) {
    case 'put':
      return `put ${text(request.body.key)}=${text(request.body.value)}`
    case 'deleteRange':
      return `delete ${text(request.body.key)}..${text(request.body.rangeEnd)}`
    case 'txn':
      return `txn of ${request.body.compare.length} compares`
    case 'compact':
      return `compact ${request.body.revision}`
    case 'range': {
      const { key, rangeEnd, revision, serializable } = request.body
      return `range ${text(key)}..${text(rangeEnd)} at ${revision}${serializable ? ' serializable' : ''}`
    }
  }
}
