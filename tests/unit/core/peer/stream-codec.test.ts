import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hexOf } from '../../../../src/core/base/bytes.ts'
import { nodeId } from '../../../../src/core/base/ids.ts'
import {
  type DecodedMessage,
  isTravelling,
  readMessage,
  writeMessage,
} from '../../../../src/core/peer/message-codec.ts'
import {
  type StreamKind,
  streamDecoder,
  streamEncoder,
} from '../../../../src/core/peer/stream-codec.ts'
import { MalformedMessage } from '../../../../src/core/proto/byte-reader.ts'
import { ByteWriter } from '../../../../src/core/proto/byte-writer.ts'
import type { AppendMessage, Entry, Message } from '../../../../src/core/raft/message.ts'

const local = nodeId(0xbab33091c65f5b7bn)
const remote = nodeId(0xd4a14fe30d997221n)
const ends = { local, remote }

const bytes = fc.uint8Array({ maxLength: 40 })
const index = fc.oneof(fc.nat(300), fc.maxSafeNat())
const id = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }).map(nodeId)
const entry: fc.Arbitrary<Entry> = fc.record({
  index,
  term: index,
  kind: fc.constantFrom('normal', 'confChange', 'confChangeV2'),
  data: bytes,
})
const envelope = { from: id, to: id, term: index }
const ids = fc.array(id, { maxLength: 5 })
const confState = fc.record({
  voters: ids,
  learners: ids,
  votersOutgoing: ids,
  learnersNext: ids,
  autoLeave: fc.boolean(),
})
const appends = fc.record({
  ...envelope,
  kind: fc.constant('append' as const),
  previousIndex: index,
  previousTerm: index,
  entries: fc.array(entry, { maxLength: 4 }),
  commit: index,
})
const others: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    ...envelope,
    kind: fc.constant('propose' as const),
    entries: fc.array(entry, { maxLength: 4 }),
  }),
  fc.record({
    ...envelope,
    kind: fc.constant('appendResponse' as const),
    index,
    isRejected: fc.boolean(),
    rejectHint: index,
    hintTerm: index,
  }),
  fc.record({
    ...envelope,
    kind: fc.constant('heartbeat' as const),
    commit: index,
    context: bytes,
  }),
  fc.record({ ...envelope, kind: fc.constant('heartbeatResponse' as const), context: bytes }),
  fc.record({
    ...envelope,
    kind: fc.constantFrom('vote' as const, 'preVote' as const),
    lastIndex: index,
    lastTerm: index,
    isTransfer: fc.boolean(),
  }),
  fc.record({
    ...envelope,
    kind: fc.constantFrom('voteResponse' as const, 'preVoteResponse' as const),
    isRejected: fc.boolean(),
  }),
  fc.record({
    ...envelope,
    kind: fc.constant('snapshot' as const),
    snapshot: fc.record({ data: bytes, metadata: fc.record({ index, term: index, confState }) }),
  }),
  fc.record({
    ...envelope,
    kind: fc.constantFrom('transferLeader' as const, 'timeoutNow' as const),
  }),
  fc.record({ ...envelope, kind: fc.constant('readIndex' as const), context: bytes }),
  fc.record({
    ...envelope,
    kind: fc.constant('readIndexResponse' as const),
    index,
    context: bytes,
  }),
)
const messages: fc.Arbitrary<Message> = fc.oneof(appends, others)

function encoded(message: Message): Uint8Array {
  const writer = new ByteWriter()
  writeMessage(writer, message)
  return writer.copied()
}

/** Decodes a stream that arrives in pieces of the given sizes, over and over. */
function decodeInPieces(
  kind: StreamKind,
  stream: Uint8Array,
  sizes: readonly number[],
): DecodedMessage[] {
  const decoder = streamDecoder(kind, ends)
  const decoded: DecodedMessage[] = []
  let at = 0
  for (let piece = 0; at < stream.length; piece++) {
    const size = sizes[piece % sizes.length]!
    // The chunk is overwritten afterwards: nothing may be kept of it.
    const chunk = stream.slice(at, at + size)
    decoder.take(chunk, (message) => decoded.push(message))
    at += size
  }
  return decoded
}

describe('message codec', () => {
  test('every message reads back as it was written', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(readMessage(encoded(message))).toEqual(message)
      }),
      { numRuns: 500 },
    )
  })

  test('reads what etcd 3.4 wrote', () => {
    const fromEtcd = Buffer.from(
      '080310d8ade8a898a0b7c05b18dff3ebb7aefca1866b2002280130023a0608001002180340024a0a12080a0228001000180050005800',
      'hex',
    )
    expect(readMessage(fromEtcd)).toEqual({
      kind: 'append',
      to: nodeId(0x5b80dd01851a16d8n),
      from: nodeId(0x6b0c87e2e6faf9dfn),
      term: 2,
      previousIndex: 2,
      previousTerm: 1,
      entries: [{ index: 3, term: 2, kind: 'normal', data: new Uint8Array(0) }],
      commit: 2,
    })
  })

  test('writes the fields that etcd writes, zeros included', () => {
    const vote: Message = {
      kind: 'vote',
      from: nodeId(1n),
      to: nodeId(2n),
      term: 3,
      lastIndex: 4,
      lastTerm: 2,
      isTransfer: true,
    }
    expect(hexOf(encoded(vote))).toBe(
      '0805' +
        '1002' +
        '1801' +
        '2003' +
        '2802' +
        '3004' +
        '4000' +
        '5000' +
        '5800' +
        '6210' +
        Buffer.from('CampaignTransfer').toString('hex'),
    )
  })

  test.each([0, 1, 10, 11, 12, 19, 20, 21, 22, 23, 24, 1_000])(
    'type %i does not come from outside',
    (type) => {
      const writer = new ByteWriter()
      writer.byte(0x08)
      writer.varint(type)
      expect(() => readMessage(writer.copied())).toThrow(MalformedMessage)
    },
  )

  test('local kinds do not leave', () => {
    const ground = { from: local, to: local, term: 0 }
    expect(isTravelling({ ...ground, kind: 'unreachable' })).toBe(false)
    expect(isTravelling({ ...ground, kind: 'snapshotStatus', isFailed: true })).toBe(false)
    expect(isTravelling({ ...ground, kind: 'campaign' })).toBe(false)
    expect(isTravelling({ ...ground, kind: 'forgetLeader' })).toBe(false)
    expect(isTravelling({ ...ground, kind: 'timeoutNow' })).toBe(true)
  })

  test('no bytes do worse than being refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        try {
          readMessage(garbage)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('one changed byte of a message does no worse than being refused or read as another', () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.nat(255), (message, position, value) => {
        const changed = encoded(message)
        changed[position % changed.length] = value
        try {
          readMessage(changed)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('message stream', () => {
  test('has the length before each message, as etcd does', () => {
    const writer = new ByteWriter()
    const encoder = streamEncoder('message')
    encoder.write(writer, { kind: 'timeoutNow', from: nodeId(1n), to: nodeId(2n), term: 3 })
    expect(hexOf(writer.copied())).toBe(
      '0000000000000012' + '080e100218012003280030004000' + '50005800',
    )
  })

  test('gives out the same messages however it is cut into pieces', () => {
    fc.assert(
      fc.property(
        fc.array(messages, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
        (list, sizes) => {
          const writer = new ByteWriter(16)
          const encoder = streamEncoder('message')
          encoder.writeLinkHeartbeat(writer)
          for (const message of list) encoder.write(writer, message)
          expect(decodeInPieces('message', writer.copied(), sizes)).toEqual([
            'linkHeartbeat',
            ...list,
          ])
        },
      ),
      { numRuns: 200 },
    )
  })

  test('a length beyond every message ends it before anything is kept', () => {
    const decoder = streamDecoder('message', ends)
    expect(() => {
      decoder.take(Buffer.from('0000000100000000', 'hex'), () => undefined)
    }).toThrow('message is too long')
  })
})

describe('append stream', () => {
  const appendAt = (
    previousIndex: number,
    count: number,
    term = 2,
    previousTerm = term,
  ): AppendMessage => ({
    kind: 'append',
    from: remote,
    to: local,
    term,
    previousIndex,
    previousTerm,
    entries: Array.from({ length: count }, (_, at) => ({
      index: previousIndex + 1 + at,
      term,
      kind: 'normal' as const,
      data: new Uint8Array([at]),
    })),
    commit: previousIndex,
  })

  test('leaves out what both sides know once a message continues the one before, as etcd does', () => {
    const writer = new ByteWriter()
    const encoder = streamEncoder('msgapp')
    encoder.writeLinkHeartbeat(writer)
    encoder.write(writer, appendAt(5, 1))
    const whole = writer.length
    encoder.write(writer, appendAt(6, 1))
    expect(hexOf(writer.written(0).subarray(0, 10))).toBe(
      '00' + '02' + '000000000000002f'.slice(0, 16),
    )
    // One entry of 9 bytes, commit 6.
    expect(hexOf(writer.copied().subarray(whole))).toBe(
      '01' + '0000000000000001' + '0000000000000009' + '080010021807220100' + '0000000000000006',
    )
  })

  test('gives out the same messages however they follow each other and the stream is cut into pieces', () => {
    const step = fc.record({
      jump: fc.constantFrom(0, 0, 0, 1, -1),
      count: fc.nat(3),
      termStep: fc.constantFrom(0, 0, 0, 1),
    })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (steps, sizes) => {
          const writer = new ByteWriter(16)
          const encoder = streamEncoder('msgapp')
          const sent: DecodedMessage[] = []
          let last = 10
          let term = 2
          for (const { jump, count, termStep } of steps) {
            const previousTerm = term
            term += termStep
            const message = appendAt(Math.max(0, last + jump), count, term, previousTerm)
            last = message.previousIndex + count
            encoder.write(writer, message)
            encoder.writeLinkHeartbeat(writer)
            sent.push(message, 'linkHeartbeat')
          }
          expect(decodeInPieces('msgapp', writer.copied(), sizes)).toEqual(sent)
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each([
    ['an unknown type', '05', 'unknown type 5'],
    [
      'another message than an append',
      '02' + '0000000000000004' + '08081001',
      'only appends travel',
    ],
    ['a count beyond every message', '01' + '00ffffffffffffff', 'number is too large'],
    ['a length beyond every message', '02' + '0000ffffffffffff', 'message is too long'],
  ])('%s ends it', (_what, hex, text) => {
    const decoder = streamDecoder('msgapp', ends)
    expect(() => {
      decoder.take(Buffer.from(hex, 'hex'), () => undefined)
    }).toThrow(text)
  })
})
