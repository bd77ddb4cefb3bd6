/**
 * The one place where messages from a page come in.
 *
 * Each message is checked twice before anything is done with it: that it comes from the main frame of one of our own pages,
 * and that its argument has the shape and size that the contract names. What a handler throws goes back as plain data; what
 * was not expected is logged, and the page learns only that it happened.
 */

import type { Disposable } from '../../core/base/disposable.ts'
import type { Logger } from '../../core/base/logger.ts'
import {
  streamAcknowledgeChannel,
  streamCloseChannel,
  streamDeliveryChannel,
  streamPageStartChannel,
  type CallChannel,
  type StreamChannel,
} from '../../preload/contract/channels.ts'
import { emptyRequestSchema } from '../../preload/contract/primitives.ts'
import type { Reply } from '../../preload/contract/reply.ts'
import {
  streamAcknowledgementSchema,
  streamClosingSchema,
  streamOpeningSchema,
} from '../../preload/contract/stream-frame.ts'
import { HostError } from '../host-error.ts'
import { bridgeErrorOf, isExpectedFailure } from './bridge-error.ts'
import type { StreamHub, StreamPolicy, StreamSink } from './stream-hub.ts'

/** What is known of the sender of a message; the part of Electron's event that is used. */
export interface IpcEvent {
  /** Renderer process and frame that sent the message; undefined when the frame is gone since. */
  readonly processId: number | undefined
  readonly frameId: number | undefined
  readonly sender: {
    readonly id: number
    /** The document that the window shows now. */
    readonly mainFrame: {
      readonly url: string
      readonly processId: number
      readonly routingId: number
    }
    isDestroyed(): boolean
    send(channel: string, message: unknown): void
  }
}

/** Where messages come from; Electron's `ipcMain`, or a simulated one in tests. */
export interface IpcSource {
  handle(channel: string, listener: (event: IpcEvent, argument: unknown) => Promise<unknown>): void
  on(channel: string, listener: (event: IpcEvent, argument: unknown) => void): void
}

/** The part of a schema that is used; zod's are of this kind. */
export interface RequestSchema<Request> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: Request }
    | { readonly success: false; readonly error: { readonly message: string } }
}

export interface IpcRouterOptions {
  readonly source: IpcSource
  readonly streams: StreamHub
  readonly logger: Logger
  /** Whether a URL is one of our own pages. */
  isOwnPage(url: string): boolean
}

export class IpcRouter {
  private readonly options: IpcRouterOptions

  constructor(options: IpcRouterOptions) {
    this.options = options
    const { source, streams } = options
    source.on(streamAcknowledgeChannel, (event, argument) => {
      const parsed = this.parseQuietly(event, streamAcknowledgementSchema, argument)
      if (parsed !== undefined) streams.acknowledge(event.sender.id, parsed.streamId)
    })
    source.on(streamPageStartChannel, (event, argument) => {
      const parsed = this.parseQuietly(event, emptyRequestSchema, argument)
      if (parsed !== undefined) streams.closePage(event.sender.id)
    })
    source.on(streamCloseChannel, (event, argument) => {
      const parsed = this.parseQuietly(event, streamClosingSchema, argument)
      if (parsed !== undefined) streams.close(event.sender.id, parsed.streamId)
    })
  }

  /** Registers a call. The handler gets a checked request and may throw. */
  call<Request, Value>(
    channel: CallChannel,
    schema: RequestSchema<Request>,
    handler: (request: Request) => Value | Promise<Value>,
  ): void {
    this.options.source.handle(channel, (event, argument) =>
      this.reply(channel, async () => await handler(this.parse(event, schema, argument))),
    )
  }

  /** Registers a stream. The handler begins to feed the sink and returns what ends that. */
  stream<Request, Item>(
    channel: StreamChannel,
    schema: RequestSchema<Request>,
    handler: {
      policyOf?(request: Request): StreamPolicy<Item>
      begin(request: Request, sink: StreamSink<Item>): Disposable
    },
  ): void {
    this.options.source.handle(channel, (event, argument) =>
      this.reply(channel, () => {
        const opening = this.parse(event, streamOpeningSchema, argument)
        const request = this.parse(event, schema, opening.request)
        const { sender } = event
        const target = {
          pageId: sender.id,
          deliver: (delivery: unknown) => {
            if (!sender.isDestroyed()) sender.send(streamDeliveryChannel, delivery)
          },
        }
        const policy = handler.policyOf?.(request) ?? {}
        const isOpen = this.options.streams.open(target, opening.streamId, policy, (sink) =>
          handler.begin(request, sink),
        )
        if (!isOpen) throw new HostError('invalidRequest', 'The stream cannot be opened')
        return Promise.resolve(null)
      }),
    )
  }

  private async reply<Value>(channel: string, run: () => Promise<Value>): Promise<Reply<Value>> {
    try {
      return { ok: true, value: await run() }
    } catch (error) {
      if (!isExpectedFailure(error)) {
        this.options.logger.error('a handler failed', {
          channel,
          error: error instanceof Error ? error.stack : String(error),
        })
      }
      return { ok: false, error: bridgeErrorOf(error) }
    }
  }

  private parse<Request>(event: IpcEvent, schema: RequestSchema<Request>, value: unknown): Request {
    if (!this.isTrusted(event)) {
      this.options.logger.warn('a message from a foreign page was refused', {
        url: frameOf(event)?.url,
      })
      throw new HostError('invalidRequest', 'This page may not talk to the app')
    }
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new HostError(
      'invalidRequest',
      `The request has not the agreed shape: ${parsed.error.message}`,
    )
  }

  private parseQuietly<Request>(
    event: IpcEvent,
    schema: RequestSchema<Request>,
    value: unknown,
  ): Request | undefined {
    const parsed = this.isTrusted(event) ? schema.safeParse(value) : undefined
    if (parsed?.success === true) return parsed.data
    this.options.logger.warn('a stream message was refused', { url: frameOf(event)?.url })
    return undefined
  }

  private isTrusted(event: IpcEvent): boolean {
    const frame = frameOf(event)
    return frame !== undefined && this.options.isOwnPage(frame.url)
  }
}

/**
 * The main frame that a window shows now, if the message came from there.
 *
 * A document that was replaced meanwhile may have left messages on their way, and those of another process arrive in no
 * fixed order with ours: its late "page start" would close the streams of the page that took its place. Electron's
 * `senderFrame` cannot tell them apart, because it follows the frame to its newest document.
 */
function frameOf({
  processId,
  frameId,
  sender,
}: IpcEvent): IpcEvent['sender']['mainFrame'] | undefined {
  if (sender.isDestroyed()) return undefined
  const { mainFrame } = sender
  const isFromThere = mainFrame.processId === processId && mainFrame.routingId === frameId
  return isFromThere ? mainFrame : undefined
}
