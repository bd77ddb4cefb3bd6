/** One watch stream as a conversation, whose answers become comparable text. */
import { WatchCreateRequest, WatchRequest, WatchResponse } from '../../src/core/proto/gen/rpc.ts'
import type { RawCall, RawGrpcClient } from './raw-grpc.ts'

/** A watch stream. */
export class WatchTalk {
  readonly call: RawCall

  constructor(client: RawGrpcClient, headers: Readonly<Record<string, string>> = {}) {
    this.call = client.open('/etcdserverpb.Watch/Watch', { ...headers })
  }

  create(fields: Partial<WatchCreateRequest>): void {
    const value = WatchCreateRequest.create(fields)
    this.send({ requestUnion: { $case: 'createRequest', value } })
  }

  cancel(watchId: bigint): void {
    this.send({ requestUnion: { $case: 'cancelRequest', value: { watchId } } })
  }

  askProgress(): void {
    this.send({ requestUnion: { $case: 'progressRequest', value: {} } })
  }

  send(request: WatchRequest): void {
    this.call.send(WatchRequest.encode(request).finish())
  }

  /** The next answers. @throws Error when the stream ends before them */
  async take(count: number): Promise<WatchResponse[]> {
    const answers: WatchResponse[] = []
    while (answers.length < count) {
      const message = await this.call.next()
      if (message === undefined) throw new Error('the watch stream ended')
      answers.push(WatchResponse.decode(message))
    }
    return answers
  }

  /** Answers until this many events have come; how they are spread over answers is the server's affair. */
  async takeEvents(count: number): Promise<WatchResponse['events']> {
    const events: WatchResponse['events'] = []
    while (events.length < count) {
      for (const answer of await this.take(1)) events.push(...answer.events)
    }
    return events
  }

  end(): void {
    this.call.cancel()
  }
}
