/** A client that remembers what it asked and what it was answered, and goes to another member when one fails. */
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../../../src/core/proto/gen/rpc.ts'
import type {
  ClientOutcome,
  ClientRequest,
  OperationRecord,
} from '../../simulation/harness/history.ts'
import { withoutValue, type PlainAnswer } from '../../simulation/harness/store-model.ts'
import { framed, RawGrpcClient } from '../raw-grpc.ts'
import { methods, type MethodName, type RequestOf, type ResponseOf } from '../rpc-client.ts'
import type { ClientHistory } from './client-history.ts'
import { plainDelete, plainPut, plainRange, plainTxn, revisionOf } from './wire-answers.ts'

/** Microseconds on the one clock of all clients of this process. */
export function nowUs(): number {
  return Math.round(performance.now() * 1_000)
}

/** An empty history. */
export function emptyHistory(): ClientHistory {
  return { operations: [], leaseEndings: [], watches: [] }
}

/** Codes of refusals that surely had no effect: invalid argument, not found, failed precondition, out of range, ... */
const definiteCodes = new Set([3, 5, 6, 7, 8, 9, 11, 12, 16])
const compactedText = 'required revision has been compacted'
const timeoutMs = 4_000
let connectionCount = 0

interface WireAnswer<Response> {
  readonly code: number
  readonly text: string
  readonly response: Response | undefined
}

/** One client, which asks one thing after the other. */
export class RecordingClient {
  readonly number: number
  private readonly history: ClientHistory
  private readonly urls: readonly string[]
  private position: number
  private connection: { readonly raw: RawGrpcClient; readonly life: number } | undefined
  private isClosed = false

  /** @param number  of the client; it begins at the URL with this position */
  constructor(history: ClientHistory, urls: readonly string[], number: number) {
    this.history = history
    this.urls = urls
    this.number = number
    this.position = number
  }

  get url(): string {
    return this.urls[this.position % this.urls.length]!
  }

  put(fields: Partial<PutRequest>): Promise<PlainAnswer | undefined> {
    const body = PutRequest.fromPartial(fields)
    return this.record({ kind: 'put', body }, async () =>
      plain(await this.send('put', body), plainPut),
    )
  }

  deleteRange(fields: Partial<DeleteRangeRequest>): Promise<PlainAnswer | undefined> {
    const body = DeleteRangeRequest.fromPartial(fields)
    return this.record({ kind: 'deleteRange', body }, async () =>
      plain(await this.send('deleteRange', body), plainDelete),
    )
  }

  txn(fields: Partial<TxnRequest>): Promise<PlainAnswer | undefined> {
    const body = TxnRequest.fromPartial(fields)
    return this.record({ kind: 'txn', body }, async () =>
      plain(await this.send('txn', body), plainTxn),
    )
  }

  range(fields: Partial<RangeRequest>): Promise<PlainAnswer | undefined> {
    const body = RangeRequest.fromPartial(fields)
    return this.record({ kind: 'range', body }, async () =>
      plain(await this.send('range', body), (response) => {
        const answer = plainRange(response)
        return body.keysOnly ? { ...answer, pairs: answer.pairs.map(withoutValue) } : answer
      }),
    )
  }

  compact(revision: number): Promise<PlainAnswer | undefined> {
    const body = CompactionRequest.fromPartial({ revision: BigInt(revision) })
    return this.record({ kind: 'compact', body }, async () =>
      plain(await this.send('compact', body), (response) => ({
        kind: 'compact',
        revision: revisionOf(response),
      })),
    )
  }

  /** Grants a lease; undefined where it is unknown whether there is one. */
  async grant(ttlSeconds: number): Promise<bigint | undefined> {
    const { response } = await this.send('leaseGrant', { TTL: BigInt(ttlSeconds), ID: 0n })
    return response?.ID
  }

  /** Revokes a lease. */
  async revoke(lease: bigint): Promise<void> {
    const startUs = nowUs()
    const { code, response } = await this.send('leaseRevoke', { ID: lease })
    this.history.leaseEndings.push({
      lease: String(lease),
      startUs,
      endUs: nowUs(),
      revision: code === 0 && response !== undefined ? revisionOf(response) : undefined,
    })
  }

  close(): void {
    this.isClosed = true
    this.connection?.raw.close()
  }

  /** Gives the answer, or nothing where there was none. */
  private async record(
    request: ClientRequest,
    ask: () => Promise<ClientOutcome>,
  ): Promise<PlainAnswer | undefined> {
    const node = this.url
    const { life } = this.connect()
    const record: OperationRecord = {
      id: this.history.operations.length,
      client: this.number,
      node,
      life,
      request,
      marker: undefined,
      startUs: nowUs(),
      endUs: Number.POSITIVE_INFINITY,
      outcome: { kind: 'unknown', code: 'still open' },
    }
    this.history.operations.push(record)
    const outcome = await ask()
    record.endUs = nowUs()
    record.outcome = outcome
    return outcome.kind === 'ok' ? outcome.answer : undefined
  }

  private connect(): { readonly raw: RawGrpcClient; readonly life: number } {
    if (this.connection?.raw.isOpen !== true || this.isClosed) {
      this.connection = { raw: new RawGrpcClient(this.url), life: ++connectionCount }
    }
    return this.connection
  }

  private async send<Name extends MethodName>(
    method: Name,
    fields: RequestOf<Name>,
  ): Promise<WireAnswer<ResponseOf<Name>>> {
    const { path, request, response } = methods[method] as unknown as {
      readonly path: string
      readonly request: { encode(fields: RequestOf<Name>): { finish(): Uint8Array } }
      readonly response: { decode(bytes: Uint8Array): ResponseOf<Name> }
    }
    const { raw } = this.connect()
    const call = raw.open(path)
    const timer = setTimeout(() => {
      call.cancel()
    }, timeoutMs)
    call.end(framed(request.encode(fields).finish()))
    const { code, text, messages } = await call.answer
    clearTimeout(timer)
    if (code !== 0 && !definiteCodes.has(code)) await this.moveOn()
    const [message] = messages
    return { code, text, response: message === undefined ? undefined : response.decode(message) }
  }

  /** To the next member, after a moment. */
  private async moveOn(): Promise<void> {
    this.connection?.raw.close()
    this.connection = undefined
    this.position++
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function plain<Response>(
  { code, text, response }: WireAnswer<Response>,
  convert: (response: Response) => PlainAnswer,
): ClientOutcome {
  if (code === 0 && response !== undefined) return { kind: 'ok', answer: convert(response) }
  const name = text.includes(compactedText) ? 'compacted' : `${code} ${text}`
  return { kind: definiteCodes.has(code) ? 'failed' : 'unknown', code: name }
}
