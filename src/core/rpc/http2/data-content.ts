/** What a DATA frame holds beside its padding. @see RFC 9113, section 6.1 */
import { frameFlags, type FrameReader } from './frame-reader.ts'
import { protocolError } from './http2-error.ts'

/** The content of the frame the reader stands at, where it lies. @throws ConnectionError  padding that exceeds the frame */
export function contentOf(reader: FrameReader): Buffer {
  let { start, end } = reader
  if ((reader.flags & frameFlags.padded) !== 0) end -= reader.buffer[start++] ?? 0
  if (start > end || start > reader.end) throw protocolError('padding exceeds the frame')
  return reader.buffer.subarray(start, end)
}
