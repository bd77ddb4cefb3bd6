/** What a peer is told when it breaks the protocol. */

/** @see RFC 9113, section 7 */
export const errorCodes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const

/** The connection cannot go on: it is told the code in a GOAWAY and closed. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  /** One of {@link errorCodes}. */
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** A {@link ConnectionError} for whatever has no code of its own. */
export function protocolError(reason: string): ConnectionError {
  return new ConnectionError(errorCodes.protocolError, reason)
}
