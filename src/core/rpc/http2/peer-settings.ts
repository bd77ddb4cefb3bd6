/** What the client has set. @see RFC 9113, section 6.5 */
import type { FrameReader } from './frame-reader.ts'
import { ConnectionError, errorCodes } from './http2-error.ts'
import { initialWindowBytesDefault } from './send-line.ts'

/** Identifiers of settings. */
export const settingIds = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const

const settingSizeBytes = 6
/** Settings in one frame. There are eight kinds; none has a reason to come often. */
const settingCountMax = 64

/** The client's settings, from the defaults on. */
export class PeerSettings {
  headerTableBytesMax = 4_096
  initialWindowBytes = initialWindowBytesDefault
  frameBytesMax = 16_384
  /** The client has sent its first frame of them. */
  haveArrived = false

  /** Reads the SETTINGS frame the reader stands at. @throws ConnectionError  a value or size that is not allowed */
  read(reader: FrameReader): void {
    const { buffer, start, end } = reader
    if ((end - start) % settingSizeBytes !== 0) {
      throw new ConnectionError(errorCodes.frameSizeError, 'SETTINGS of wrong size')
    }
    if (end - start > settingCountMax * settingSizeBytes) {
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'too many settings')
    }
    this.haveArrived = true
    for (let at = start; at < end; at += settingSizeBytes) {
      this.set(buffer.readUInt16BE(at), buffer.readUInt32BE(at + 2))
    }
  }

  private set(identifier: number, value: number): void {
    switch (identifier) {
      case settingIds.headerTableSize:
        this.headerTableBytesMax = value
        return
      case settingIds.enablePush:
        if (value > 1) throw new ConnectionError(errorCodes.protocolError, 'push setting above 1')
        return
      case settingIds.initialWindowSize:
        if (value > 0x7fff_ffff) {
          throw new ConnectionError(errorCodes.flowControlError, 'initial window too large')
        }
        this.initialWindowBytes = value
        return
      case settingIds.maxFrameSize:
        if (value < 16_384 || value > 0xff_ffff) {
          throw new ConnectionError(errorCodes.protocolError, 'frame size out of range')
        }
        this.frameBytesMax = value
        return
      default:
      // The others limit what is never sent, and unknown ones are to be ignored.
    }
  }
}
