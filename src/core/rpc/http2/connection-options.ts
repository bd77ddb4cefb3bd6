/** What a connection is given by its owner, and what it tells the client about itself. */
import type { Clock } from '../../base/clock.ts'
import type { KeepaliveOptions } from './connection-guard.ts'
import { settingIds } from './peer-settings.ts'
import { headerListSizeBytesMax } from './request-decoder.ts'
import type { ServerStream } from './server-stream.ts'
import type { TurnEnd } from './turn-end.ts'

export interface ServerConnectionOptions {
  readonly clock: Clock
  readonly turnEnd: TurnEnd
  /** Streams at once, up to {@link openStreamsMax}; more are refused. */
  readonly concurrentStreamsMax: number
  /** How a client that is silent is asked for a sign of life; it is not when absent. */
  readonly keepalive?: KeepaliveOptions
  /** A request has arrived, perhaps without its content yet. */
  readonly onStream: (stream: ServerStream) => void
  /** The client has pinged. The text returned, if any, ends the connection. */
  readonly onPing: () => string | undefined
  /** The connection is gone, after all of its streams. */
  readonly onClose: () => void
  /** Why the connection was given up, for the log. */
  readonly onFailure: (reason: string) => void
}

/**
 * Streams at once, whatever is configured: etcd's default allows 2^32 - 1. A stream whose request has begun and not ended
 * takes about 1 KB, so that a connection that only opens them comes to about 100 MB.
 */
export const openStreamsMax = 100_000
/** Room for requests of the largest size without a round trip per 64 KiB. */
export const streamWindowBytes = 1_048_576

/** The settings that this side begins with, as pairs of identifier and value. */
export function announcedSettings(
  concurrentStreamsMax: number,
): readonly (readonly [number, number])[] {
  return [
    [settingIds.maxConcurrentStreams, concurrentStreamsMax],
    [settingIds.initialWindowSize, streamWindowBytes],
    [settingIds.maxHeaderListSize, headerListSizeBytesMax],
  ]
}
