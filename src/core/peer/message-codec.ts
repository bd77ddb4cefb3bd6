/**
 * Raft messages as `raftpb.Message`, so that etcd members understand us and we them.
 *
 * One flat message carries every kind; which field means what depends on the kind:
 *
 *     kind                 index            logTerm        other
 *     append               previous index   its term       entries, commit
 *     appendResponse       last or refused  hint's term    reject, rejectHint
 *     vote, preVote        last index       its term       context "CampaignTransfer" on a transfer
 *     heartbeat            -                -              commit, context
 *     readIndex(Response)  (read index)     -              the context is the data of the only entry
 *     snapshot             -                -              snapshot
 */
import { copyBytes, emptyBytes, equalBytes } from '../base/bytes.ts'
import { nodeId } from '../base/ids.ts'
import { ByteReader, MalformedMessage } from '../proto/byte-reader.ts'
import type { ByteWriter } from '../proto/byte-writer.ts'
import {
  entrySize,
  readEntry,
  readSnapshot,
  snapshotSize,
  type WireSnapshot,
  writeEntry,
  writeSnapshot,
} from '../proto/raft-codec.ts'
import type { Entry, Message, MessageKind, Snapshot } from '../raft/message.ts'

/** raftpb.MessageType of the kinds that travel. All others are local and are refused when they come from outside. */
const typeOfKind = {
  propose: 2,
  append: 3,
  appendResponse: 4,
  vote: 5,
  voteResponse: 6,
  snapshot: 7,
  heartbeat: 8,
  heartbeatResponse: 9,
  transferLeader: 13,
  timeoutNow: 14,
  readIndex: 15,
  readIndexResponse: 16,
  preVote: 17,
  preVoteResponse: 18,
} as const satisfies Partial<Record<MessageKind, number>>

type TravellingKind = keyof typeof typeOfKind

const kindOfType: ReadonlyMap<number, TravellingKind> = new Map(
  Object.entries(typeOfKind).map(([kind, type]) => [type, kind as TravellingKind]),
)

const campaignTransfer: Uint8Array = new TextEncoder().encode('CampaignTransfer')

/** Whether this message may leave the node at all. */
export function isTravelling(message: Message): boolean {
  return message.kind in typeOfKind
}

/** Appends a message. It must be of a kind that travels. */
export function writeMessage(writer: ByteWriter, message: Message): void {
  const fields = fieldsOf(message)
  writer.byte(0x08)
  writer.varint(fields.type)
  writer.byte(0x10)
  writer.varint64(message.to)
  writer.byte(0x18)
  writer.varint64(message.from)
  writeNumber(writer, 0x20, message.term)
  writeNumber(writer, 0x28, fields.logTerm)
  writeNumber(writer, 0x30, fields.index)
  for (const entry of fields.entries) {
    writer.byte(0x3a)
    writer.varint(entrySize(entry))
    writeEntry(writer, entry)
  }
  writeNumber(writer, 0x40, fields.commit)
  if (fields.snapshot !== undefined) {
    writer.byte(0x4a)
    writer.varint(snapshotSize(fields.snapshot))
    writeSnapshot(writer, fields.snapshot)
  }
  writer.byte(0x50)
  writer.byte(fields.reject ? 1 : 0)
  writeNumber(writer, 0x58, fields.rejectHint)
  if (fields.context.length > 0) {
    writer.byte(0x62)
    writer.varint(fields.context.length)
    writer.bytes(fields.context)
  }
}

function writeNumber(writer: ByteWriter, tag: number, value: number): void {
  writer.byte(tag)
  writer.varint(value)
}

/** A decoded message, or the sign of life that streams carry. */
export type DecodedMessage = Message | 'linkHeartbeat'

/**
 * Reads a message. Entry data and contexts are copied, so the source may be reused.
 *
 * @throws MalformedMessage  not a message, or of a kind that must not come from outside
 */
export function readMessage(bytes: Uint8Array): DecodedMessage {
  const fields = readFields(new ByteReader(bytes))
  if (fields.type === typeOfKind.heartbeat && fields.from === 0n && fields.to === 0n) {
    return 'linkHeartbeat'
  }
  return messageOf(fields)
}

interface MessageFields {
  type: number
  to: bigint
  from: bigint
  term: number
  logTerm: number
  index: number
  entries: Entry[]
  commit: number
  snapshot: WireSnapshot | undefined
  reject: boolean
  rejectHint: number
  context: Uint8Array
}

function noFields(): MessageFields {
  return {
    type: 0,
    to: 0n,
    from: 0n,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: emptyBytes,
  }
}

type ContentFields = Pick<
  MessageFields,
  'type' | 'logTerm' | 'index' | 'commit' | 'snapshot' | 'reject' | 'rejectHint' | 'context'
> & { readonly entries: readonly Entry[] }

const noContent: Omit<ContentFields, 'type'> = noFields()

function fieldsOf(message: Message): ContentFields {
  switch (message.kind) {
    case 'append':
      return {
        ...noContent,
        type: typeOfKind.append,
        index: message.previousIndex,
        logTerm: message.previousTerm,
        entries: message.entries,
        commit: message.commit,
      }
    case 'appendResponse':
      return {
        ...noContent,
        type: typeOfKind.appendResponse,
        index: message.index,
        logTerm: message.hintTerm,
        reject: message.isRejected,
        rejectHint: message.rejectHint,
      }
    case 'vote':
    case 'preVote':
      return {
        ...noContent,
        type: typeOfKind[message.kind],
        index: message.lastIndex,
        logTerm: message.lastTerm,
        context: message.isTransfer ? campaignTransfer : emptyBytes,
      }
    case 'voteResponse':
    case 'preVoteResponse':
      return { ...noContent, type: typeOfKind[message.kind], reject: message.isRejected }
    default:
      return rareFieldsOf(message)
  }
}

function rareFieldsOf(message: Message): ContentFields {
  switch (message.kind) {
    case 'propose':
      return { ...noContent, type: typeOfKind.propose, entries: message.entries }
    case 'heartbeat': {
      const { commit, context } = message
      return { ...noContent, type: typeOfKind.heartbeat, commit, context }
    }
    case 'heartbeatResponse':
      return { ...noContent, type: typeOfKind.heartbeatResponse, context: message.context }
    case 'snapshot':
      return { ...noContent, type: typeOfKind.snapshot, snapshot: message.snapshot }
    case 'readIndex':
      return { ...noContent, type: typeOfKind.readIndex, entries: [contextEntry(message.context)] }
    case 'readIndexResponse': {
      const entries = [contextEntry(message.context)]
      return { ...noContent, type: typeOfKind.readIndexResponse, index: message.index, entries }
    }
    case 'transferLeader':
    case 'timeoutNow':
      return { ...noContent, type: typeOfKind[message.kind] }
    default:
      throw new TypeError(`a message of kind ${message.kind} stays on its node`)
  }
}

function contextEntry(context: Uint8Array): Entry {
  return { index: 0, term: 0, kind: 'normal', data: context }
}

function readFields(reader: ByteReader): MessageFields {
  const fields = noFields()
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    switch (tag) {
      case 0x08:
        fields.type = reader.number()
        break
      case 0x10:
        fields.to = reader.bits64()
        break
      case 0x18:
        fields.from = reader.bits64()
        break
      case 0x20:
        fields.term = reader.number()
        break
      case 0x28:
        fields.logTerm = reader.number()
        break
      case 0x30:
        fields.index = reader.number()
        break
      case 0x3a:
        fields.entries.push(ownEntry(readEntry(reader.message())))
        break
      case 0x40:
        fields.commit = reader.number()
        break
      case 0x4a:
        fields.snapshot = readSnapshot(reader.message())
        break
      case 0x50:
        fields.reject = reader.number() !== 0
        break
      case 0x58:
        fields.rejectHint = reader.number()
        break
      case 0x62:
        fields.context = copyBytes(reader.bytes())
        break
      default:
        reader.skip(tag)
    }
  }
  return fields
}

/** The entry with data that shares no memory with the receive buffer. */
export function ownEntry(entry: Entry): Entry {
  return { index: entry.index, term: entry.term, kind: entry.kind, data: copyBytes(entry.data) }
}

function messageOf(fields: MessageFields): Message {
  const kind = kindOfType.get(fields.type)
  if (kind === undefined) {
    throw new MalformedMessage(`message type ${fields.type} does not travel between members`)
  }
  const envelope = { from: nodeId(fields.from), to: nodeId(fields.to), term: fields.term }
  const { index, logTerm, entries, commit, context } = fields
  switch (kind) {
    case 'propose':
      return { ...envelope, kind, entries }
    case 'append':
      return { ...envelope, kind, previousIndex: index, previousTerm: logTerm, entries, commit }
    case 'appendResponse': {
      const { reject: isRejected, rejectHint } = fields
      return { ...envelope, kind, index, isRejected, rejectHint, hintTerm: logTerm }
    }
    case 'vote':
    case 'preVote': {
      const isTransfer = equalBytes(context, campaignTransfer)
      return { ...envelope, kind, lastIndex: index, lastTerm: logTerm, isTransfer }
    }
    case 'voteResponse':
    case 'preVoteResponse':
      return { ...envelope, kind, isRejected: fields.reject }
    case 'heartbeat':
      return { ...envelope, kind, commit, context }
    case 'heartbeatResponse':
      return { ...envelope, kind, context }
    case 'snapshot':
      return { ...envelope, kind, snapshot: snapshotOf(fields.snapshot) }
    case 'readIndex':
      return { ...envelope, kind, context: entries[0]?.data ?? emptyBytes }
    case 'readIndexResponse':
      return { ...envelope, kind, index, context: entries[0]?.data ?? emptyBytes }
    case 'transferLeader':
    case 'timeoutNow':
      return { ...envelope, kind }
  }
}

function snapshotOf(wire: WireSnapshot | undefined): Snapshot {
  if (wire === undefined) throw new MalformedMessage('a snapshot message without a snapshot')
  const { index, term, confState } = wire.metadata
  return {
    data: copyBytes(wire.data),
    metadata: {
      index,
      term,
      confState: {
        voters: confState.voters.map(nodeId),
        learners: confState.learners.map(nodeId),
        votersOutgoing: confState.votersOutgoing.map(nodeId),
        learnersNext: confState.learnersNext.map(nodeId),
        autoLeave: confState.autoLeave,
      },
    },
  }
}
