/**
 * The node's own KV, Lease and Watch as a service uses them that is itself a client of them: in the name of whoever calls,
 * who is found out anew for each step, because users change while a call waits.
 *
 * What goes wrong inside arrives outside as Unknown with the text of the inner answer, as it does where etcd's services go
 * through its client library.
 */
import type { CancelListener } from '../base/cancellation.ts'
import type { Logger } from '../base/logger.ts'
import { errorTable } from '../errors/error-table.ts'
import { StoreError } from '../errors/store-error.ts'
import { callerOf, type Caller } from '../node/caller.ts'
import type {
  DeleteRangeResult,
  EventBatch,
  RangeResult,
  TxnResult,
  Watcher,
  WatchSink,
} from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  type TxnRequest,
} from '../proto/gen/rpc.ts'
import { identifyCaller } from './access-guard.ts'
import { checkDeleteRange, checkTxn } from './request-validation.ts'
import type { CallContext } from './rpc-call.ts'
import { WireError } from './status-mapping.ts'

export interface InnerClientOptions {
  readonly logger: Logger
  /** Most compares or operations in one list of a transaction. */
  readonly txnOperationCountMax: number
}

/** One call's way into its own node. All methods throw WireError `unknown` for what the node refuses. */
export class InnerClient {
  readonly call: CallContext
  private readonly node: StoreNode
  private readonly options: InnerClientOptions

  constructor(node: StoreNode, call: CallContext, options: InnerClientOptions) {
    this.node = node
    this.call = call
    this.options = options
  }

  /** A new lease. @returns its id */
  grantLease(ttlSeconds: bigint): Promise<bigint> {
    return asInner(async () => {
      const { requester } = await this.caller()
      const lease = await this.node.leases.grant({ id: 0n, ttlSeconds }, requester)
      return lease.id
    })
  }

  /** The pairs of one key, or of all from `key` up to `rangeEnd`. */
  range(fields: Partial<RangeRequest>): Promise<RangeResult> {
    return asInner(async () =>
      this.node.range(RangeRequest.fromPartial(fields), { cancellation: await this.caller() }),
    )
  }

  txn(request: TxnRequest): Promise<TxnResult> {
    return asInner(async () => {
      checkTxn(request, this.options.txnOperationCountMax)
      return this.node.txn(request, { cancellation: await this.caller() })
    })
  }

  /** As {@link txn}, and waits for the outcome also when the caller has gone: something has to follow from it. */
  txnToTheEnd(request: TxnRequest): Promise<TxnResult> {
    return asInner(async () => {
      checkTxn(request, this.options.txnOperationCountMax)
      const { requester } = await this.caller()
      return this.node.txn(request, { cancellation: callerOf(requester) })
    })
  }

  /**
   * Takes a key back, whether or not the caller is still there; where that is refused the key stays until its lease ends.
   * @param compare  only if all of these hold
   */
  async withdraw(key: Uint8Array, compare: Compare[] = []): Promise<void> {
    try {
      await this.txnToTheEnd({ compare, success: [deleteOf(key)], failure: [] })
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.options.logger.info('the key of one who waits no more stays until its lease ends', {
        reason: error.message,
      })
    }
  }

  deleteKey(key: Uint8Array): Promise<DeleteRangeResult> {
    return asInner(async () => {
      const request = DeleteRangeRequest.fromPartial({ key })
      checkDeleteRange(request)
      return this.node.deleteRange(request, { cancellation: await this.caller() })
    })
  }

  /** Looks at changes as they come, until `take` returns something. */
  watch<Result>(wish: InnerWatchWish<Result>): InnerWatch<Result> {
    return new InnerWatch(this.node, this.call, wish)
  }

  private async caller(): Promise<Caller> {
    this.call.requester = await identifyCaller(this.node, this.call)
    return this.call
  }
}

export interface InnerWatchWish<Result> {
  readonly key: Uint8Array
  /** Empty: the key alone. Otherwise all keys up to here. */
  readonly rangeEnd: Uint8Array
  readonly startRevision: number
  readonly kind: 'put' | 'delete' | 'any'
  /** What was looked for, or undefined: it was not among these. */
  readonly take: (batch: EventBatch) => Result | undefined
  /** Whether a batch can be taken now; without it always. */
  readonly hasRoom?: () => boolean
}

/** A watch that ends with what it found. */
export class InnerWatch<Result> implements WatchSink, CancelListener {
  /** What was found; undefined when history went away meanwhile. Rejects with StoreError `contextCanceled`. */
  readonly outcome: Promise<Result | undefined>
  private readonly call: CallContext
  private readonly wish: InnerWatchWish<Result>
  private watcher: Watcher | undefined
  private hasEnded = false
  private resolve: (result: Result | undefined) => void = () => undefined
  private reject: (error: Error) => void = () => undefined

  constructor(node: StoreNode, call: CallContext, wish: InnerWatchWish<Result>) {
    this.call = call
    this.wish = wish
    this.outcome = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    if (call.isCanceled) {
      this.canceled()
      return
    }
    call.setCancelListener(this)
    const { rangeEnd, startRevision, kind } = wish
    this.watcher = node.watchHub.watch(
      {
        range: { start: wish.key, end: rangeEnd.length === 0 ? undefined : rangeEnd },
        startRevision,
        filters: { noPut: kind === 'delete', noDelete: kind === 'put' },
      },
      this,
    )
  }

  offer(batch: EventBatch): boolean {
    if (this.wish.hasRoom?.() === false) return false
    const found = this.wish.take(batch)
    if (found === undefined) return true
    this.end()
    this.resolve(found)
    return true
  }

  compacted(): boolean {
    this.end()
    this.resolve(undefined)
    return true
  }

  /** There is room again. */
  resume(): void {
    this.watcher?.resume()
  }

  /** Nobody waits any more. */
  canceled(): void {
    if (this.hasEnded) return
    this.end()
    this.reject(new StoreError('contextCanceled'))
  }

  private end(): void {
    this.hasEnded = true
    this.call.setCancelListener(undefined)
    this.watcher?.cancel()
  }
}

/** "The key was created at this revision"; 0: it does not exist. */
export function isCreatedAt(key: Uint8Array, createRevision: bigint): Compare {
  return Compare.fromPartial({
    key,
    target: Compare_CompareTarget.CREATE,
    result: Compare_CompareResult.EQUAL,
    targetUnion: { $case: 'createRevision', value: createRevision },
  })
}

export function putOf(fields: Partial<PutRequest>): RequestOp {
  return { request: { $case: 'requestPut', value: PutRequest.fromPartial(fields) } }
}

export function rangeOf(fields: Partial<RangeRequest>): RequestOp {
  return { request: { $case: 'requestRange', value: RangeRequest.fromPartial(fields) } }
}

export function deleteOf(key: Uint8Array): RequestOp {
  return {
    request: { $case: 'requestDeleteRange', value: DeleteRangeRequest.fromPartial({ key }) },
  }
}

async function asInner<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new WireError('unknown', errorTable[error.code].text, { cause: error })
  }
}
