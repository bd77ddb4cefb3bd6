/** An expected failure of the host itself, as opposed to a cluster's. */

/** What stood in the way. */
export type HostErrorCode =
  | 'invalidRequest'
  | 'unknownConnection'
  | 'unknownNode'
  | 'nodeState'
  | 'readOnly'
  | 'file'
  | 'streamOverflow'
  | 'fileFailed'
  | 'fileTooLarge'
  | 'unknownFile'

/** Refused by the host; the message is one sentence for the user. */
export class HostError extends Error {
  override readonly name = 'HostError'
  readonly code: HostErrorCode

  constructor(code: HostErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
