/**
 * The two stream formats of rafthttp. Lengths, counts and indexes outside protobuf are 64 bits, most significant byte
 * first.
 *
 * "message": length, raftpb.Message, over and over. A message of type heartbeat without sender and receiver is a sign of
 * life of the connection.
 *
 * "msgapp" (version 2): a type of one byte, then
 *
 *     0  sign of life   nothing
 *     1  entries        count; per entry its length and raftpb.Entry; commit index
 *     2  append         length, raftpb.Message of kind append
 *
 * Type 1 stands for an append that goes on exactly where the one before ended, in the same term: while a leader
 * replicates, nothing else is sent, and what both sides know is left out.
 */
import type { NodeId } from '../base/ids.ts'
import { ByteReader, MalformedMessage } from '../proto/byte-reader.ts'
import type { ByteWriter } from '../proto/byte-writer.ts'
import { entrySize, readEntry, writeEntry } from '../proto/raft-codec.ts'
import type { AppendMessage, Entry, Message } from '../raft/message.ts'
import { type DecodedMessage, ownEntry, readMessage, writeMessage } from './message-codec.ts'
import { ReceiveBuffer } from './receive-buffer.ts'

/** The two kinds of long-lived streams by their name in the path. */
export type StreamKind = 'message' | 'msgapp'

const appendTypes = { linkHeartbeat: 0, entries: 1, append: 2 } as const

/** Turns messages into the bytes of one stream, in order. One per connection: it remembers what the other side knows. */
export interface StreamEncoder {
  write(writer: ByteWriter, message: Message): void
  writeLinkHeartbeat(writer: ByteWriter): void
}

/** Takes the bytes of one stream as they come and gives out whole messages. One per connection. */
export interface StreamDecoder {
  /** @throws MalformedMessage  the stream cannot be understood from here on */
  take(chunk: Uint8Array, deliver: (message: DecodedMessage) => void): void
}

export function streamEncoder(kind: StreamKind): StreamEncoder {
  return kind === 'message' ? new MessageStreamEncoder() : new AppendStreamEncoder()
}

/** `local` and `remote` fill in what compact appends leave out. */
export function streamDecoder(
  kind: StreamKind,
  ends: { readonly local: NodeId; readonly remote: NodeId },
): StreamDecoder {
  return kind === 'message' ? new MessageStreamDecoder() : new AppendStreamDecoder(ends)
}

/** Appends a message with its length before it, as the message stream and a snapshot's head have it. */
export function writeWithLength(writer: ByteWriter, message: Message): void {
  const lengthAt = writer.length
  writer.zeros(8)
  writeMessage(writer, message)
  writer.patchUint64BigEndian(lengthAt, writer.length - lengthAt - 8)
}

class MessageStreamEncoder implements StreamEncoder {
  write(writer: ByteWriter, message: Message): void {
    writeWithLength(writer, message)
  }

  writeLinkHeartbeat(writer: ByteWriter): void {
    writer.uint64BigEndian(2)
    writer.byte(0x08)
    writer.byte(8)
  }
}

class AppendStreamEncoder implements StreamEncoder {
  /** Term and last index of the append written before; what may be left out next time. */
  private term = 0
  private index = 0

  write(writer: ByteWriter, message: Message): void {
    if (message.kind !== 'append') throw new TypeError(`${message.kind} on the append stream`)
    const { term, previousTerm, previousIndex, entries } = message
    if (previousIndex === this.index && previousTerm === this.term && previousTerm === term) {
      writer.byte(appendTypes.entries)
      writer.uint64BigEndian(entries.length)
      for (const entry of entries) {
        writer.uint64BigEndian(entrySize(entry))
        writeEntry(writer, entry)
      }
      writer.uint64BigEndian(message.commit)
      this.index += entries.length
      return
    }
    writer.byte(appendTypes.append)
    writeWithLength(writer, message)
    this.term = term
    this.index = entries.at(-1)?.index ?? previousIndex
  }

  writeLinkHeartbeat(writer: ByteWriter): void {
    writer.byte(appendTypes.linkHeartbeat)
  }
}

class MessageStreamDecoder implements StreamDecoder {
  private readonly buffer = new ReceiveBuffer()

  take(chunk: Uint8Array, deliver: (message: DecodedMessage) => void): void {
    this.buffer.append(chunk)
    for (;;) {
      const length = this.buffer.peekLength(0)
      if (length === undefined || this.buffer.availableBytes < 8 + length) return
      this.buffer.skip(8)
      deliver(readMessage(this.buffer.take(length)))
    }
  }
}

/** An append of which not all entries have arrived. */
interface PendingAppend {
  readonly entries: Entry[]
  readonly entryCount: number
}

class AppendStreamDecoder implements StreamDecoder {
  private readonly buffer = new ReceiveBuffer()
  private readonly ends: { readonly local: NodeId; readonly remote: NodeId }
  private term = 0
  private index = 0
  private pending: PendingAppend | undefined

  constructor(ends: { readonly local: NodeId; readonly remote: NodeId }) {
    this.ends = ends
  }

  take(chunk: Uint8Array, deliver: (message: DecodedMessage) => void): void {
    this.buffer.append(chunk)
    for (;;) {
      const message = this.pending === undefined ? this.begin() : this.goOn(this.pending)
      if (message === 'incomplete') return
      if (message !== 'begun') deliver(message)
    }
  }

  private begin(): DecodedMessage | 'incomplete' | 'begun' {
    const type = this.buffer.peekByte()
    switch (type) {
      case undefined:
        return 'incomplete'
      case appendTypes.linkHeartbeat:
        this.buffer.skip(1)
        return 'linkHeartbeat'
      case appendTypes.entries: {
        const entryCount = this.buffer.peekLength(1)
        if (entryCount === undefined) return 'incomplete'
        this.buffer.skip(9)
        this.pending = { entries: [], entryCount }
        return 'begun'
      }
      case appendTypes.append:
        return this.readWhole()
      default:
        throw new MalformedMessage(`unknown type ${type} on the append stream`)
    }
  }

  private readWhole(): Message | 'incomplete' {
    const length = this.buffer.peekLength(1)
    if (length === undefined || this.buffer.availableBytes < 9 + length) return 'incomplete'
    this.buffer.skip(9)
    const message = readMessage(this.buffer.take(length))
    if (message === 'linkHeartbeat' || message.kind !== 'append') {
      throw new MalformedMessage('only appends travel on the append stream')
    }
    this.term = message.term
    this.index = message.entries.at(-1)?.index ?? message.previousIndex
    return message
  }

  private goOn(pending: PendingAppend): AppendMessage | 'incomplete' {
    while (pending.entries.length < pending.entryCount) {
      const length = this.buffer.peekLength(0)
      if (length === undefined || this.buffer.availableBytes < 8 + length) return 'incomplete'
      this.buffer.skip(8)
      pending.entries.push(ownEntry(readEntry(new ByteReader(this.buffer.take(length)))))
    }
    const commit = this.buffer.peekNumber(0)
    if (commit === undefined) return 'incomplete'
    this.buffer.skip(8)
    this.pending = undefined
    const previousIndex = this.index
    this.index += pending.entryCount
    const { local: to, remote: from } = this.ends
    const { term } = this
    return {
      kind: 'append',
      from,
      to,
      term,
      previousIndex,
      previousTerm: term,
      entries: pending.entries,
      commit,
    }
  }
}
