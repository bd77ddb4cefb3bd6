import { describe, expect, test } from 'vitest'
import { leaseId, noLease } from '../../../../src/core/base/ids.ts'
import { hexOf } from '../../../../src/core/base/bytes.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import { keyRangeOfWire, type KeyRange } from '../../../../src/core/mvcc/key-range.ts'
import { bytes, describePair, StoreUnderTest, textOf } from './store-model.ts'

const everything: KeyRange = { start: Uint8Array.of(0), end: 'unbounded' }
const now = { revision: 0, limit: 0 }

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof StoreError) return error.code
    throw error
  }
  return 'none'
}

/** The history of chapter 3.3: put at 2 and 4, deleted at 6; put at 8 and 10, deleted at 12; put at 14 and 15.1, deleted at 16. */
async function workedExample(): Promise<StoreUnderTest> {
  const subject = await StoreUnderTest.make()
  const put = (): void => {
    subject.put('k', `at ${subject.store.currentRevision + 1}`)
  }
  const other = (): void => {
    subject.put('other', 'x')
  }
  put()
  other()
  put()
  other()
  subject.remove('k')
  other()
  put()
  other()
  put()
  other()
  subject.remove('k')
  other()
  put()
  subject.turn((view) => {
    view.put(bytes('other'), bytes('x'), noLease)
    view.put(bytes('k'), bytes('at 15'), noLease)
  })
  subject.remove('k')
  other()
  expect(subject.store.currentRevision).toBe(17)
  return subject
}

describe('MvccStore', () => {
  test('a new store is at revision 1, its first write makes 2, and nothing is compacted', async () => {
    const subject = await StoreUnderTest.make()
    expect(subject.store.currentRevision).toBe(1)
    expect(subject.store.compactedRevision).toBe(-1)
    expect(subject.store.readRange(everything, { revision: 1, limit: 0 }).count).toBe(0)
    subject.put('a', '1')
    expect(subject.store.currentRevision).toBe(2)
  })

  test('version and create revision restart after a delete', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('a', '1')
    subject.put('a', '2')
    subject.remove('a')
    subject.put('a', '3')
    const pair = subject.store.findAt(bytes('a'), 0)
    expect(pair && describePair(pair)).toBe(`${hexOf(bytes('a'))}=${hexOf(bytes('3'))} c5 m5 v1`)
  })

  test('a put that changes nothing makes a revision; a delete of nothing and a read make none', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('a', '1')
    subject.put('a', '1')
    expect(subject.store.currentRevision).toBe(3)
    subject.remove('missing')
    subject.turn((view) => view.readRange(everything, now))
    expect(subject.store.currentRevision).toBe(3)
  })

  test('the changes of one request share a revision and are numbered in order, deletes in key order', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('b', '1')
    subject.put('a', '1')
    const changes = subject.write([
      { kind: 'put', key: bytes('c'), value: bytes('2') },
      { kind: 'delete', range: { start: bytes('a'), end: bytes('c') } },
      { kind: 'put', key: bytes('d'), value: bytes('3') },
    ])
    expect(changes?.revision).toBe(4)
    expect(
      changes?.changes.map(
        ({ kind, sub, keyValue }) =>
          `${sub} ${kind} ${textOf(keyValue.key)} ${keyValue.modRevision}`,
      ),
    ).toEqual(['0 put c 4', '1 delete a 4', '2 delete b 4', '3 put d 4'])
    expect(subject.recordNames()).toEqual(['2', '3', '4', '4.1t', '4.2t', '4.3'])
  })

  test('a request reads its own writes at the next revision, and others do not see them before they are published', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('a', '1')
    const batch = subject.backend.beginBatch()
    const view = subject.store.beginWrite(batch)
    expect(view.revision).toBe(2)
    view.put(bytes('a'), bytes('2'), noLease)
    view.put(bytes('b'), bytes('2'), noLease)
    expect(view.revision).toBe(3)
    expect(view.readRange(everything, now)).toMatchObject({ count: 2, revision: 3 })
    expect(view.readRange(everything, { revision: 2, limit: 0 })).toMatchObject({ count: 1 })
    expect(subject.store.readRange(everything, now)).toMatchObject({ count: 1, revision: 2 })
    view.end()
    subject.backend.commitBatch(batch)
    expect(subject.store.readRange(everything, now)).toMatchObject({ count: 1, revision: 2 })
    subject.store.publish()
    expect(subject.store.readRange(everything, now)).toMatchObject({ count: 2, revision: 3 })
  })

  test('several requests in one batch make one revision each', async () => {
    const subject = await StoreUnderTest.make()
    const batch = subject.backend.beginBatch()
    const revisions: (number | undefined)[] = []
    for (const key of ['a', 'b', 'a']) {
      const view = subject.store.beginWrite(batch)
      view.put(bytes(key), bytes('x'), noLease)
      revisions.push(view.end()?.revision)
    }
    subject.backend.commitBatch(batch)
    subject.store.publish()
    expect(revisions).toEqual([2, 3, 4])
    expect(subject.store.findAt(bytes('a'), 0)?.version).toBe(2)
  })

  test('a put tells the pair it replaced, and nothing after a delete', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('a', '1')
    const first = subject.turn((view) => view.put(bytes('a'), bytes('2'), noLease).previous)
    expect(first && textOf(first.value)).toBe('1')
    subject.remove('a')
    expect(
      subject.turn((view) => view.put(bytes('a'), bytes('3'), noLease).previous),
    ).toBeUndefined()
  })

  test('deleting tells the pairs that were there, with or without their values', async () => {
    const subject = await StoreUnderTest.make()
    subject.turn((view) => {
      view.put(bytes('a'), bytes('1'), leaseId(7n))
      view.put(bytes('b'), bytes('2'), noLease)
    })
    const keysOnly = subject.turn((view) =>
      view.deleteRange({ start: bytes('b'), end: undefined }, { isKeysOnly: true }),
    )
    expect(keysOnly.map((pair) => describePair(pair))).toEqual([`${hexOf(bytes('b'))}= c2 m2 v1`])
    const whole = subject.turn((view) => view.deleteRange(everything))
    expect(whole.map((pair) => [textOf(pair.key), textOf(pair.value), pair.lease])).toEqual([
      ['a', '1', 7n],
    ])
  })

  test('keys are bytes: embedded zeros, bytes above 0x7f and prefixes of each other keep byte order', async () => {
    const subject = await StoreUnderTest.make()
    const keys = [
      [0x61],
      [0x61, 0x00],
      [0x61, 0x00, 0x01],
      [0x61, 0x01],
      [0x61, 0x62],
      [0xc3, 0xa9],
      [0xff, 0xff],
    ]
    for (const key of keys.toReversed()) {
      subject.turn((view) => view.put(Uint8Array.from(key), bytes('x'), noLease))
    }
    const read = subject.store.readRange(everything, now)
    expect(read.keyValues.map(({ key }) => [...key])).toEqual(keys)
    const range = { start: Uint8Array.of(0x61, 0x00), end: Uint8Array.of(0x61, 0x01) }
    expect(subject.store.readRange(range, now).count).toBe(2)
  })

  test('range ends of the wire: none is one key, a zero byte is everything behind, an end before the start is empty', async () => {
    const subject = await StoreUnderTest.make()
    for (const key of ['a', 'ab', 'b', 'c']) subject.put(key, key)
    const keysOf = (key: string, end: Uint8Array): string[] =>
      subject.store
        .readRange(keyRangeOfWire(bytes(key), end), now)
        .keyValues.map((pair) => textOf(pair.key))
    expect(keysOf('a', bytes(''))).toEqual(['a'])
    expect(keysOf('ab', Uint8Array.of(0))).toEqual(['ab', 'b', 'c'])
    expect(keysOf('a', bytes('b'))).toEqual(['a', 'ab'])
    expect(keysOf('b', bytes('a'))).toEqual([])
    expect(keysOf('b', bytes('b'))).toEqual([])
  })

  test('a limit cuts the pairs and not the count; counting returns no pairs; keys alone have no value', async () => {
    const subject = await StoreUnderTest.make()
    for (const key of ['a', 'b', 'c', 'd']) subject.put(key, key)
    subject.remove('c')
    const limited = subject.store.readRange(everything, { revision: 0, limit: 2 })
    expect(limited.keyValues.map((pair) => textOf(pair.key))).toEqual(['a', 'b'])
    expect(limited.count).toBe(3)
    const past = subject.store.readRange(everything, { revision: 5, limit: 1 })
    expect([past.keyValues.length, past.count, past.revision]).toEqual([1, 4, 6])
    const counted = subject.store.readRange(everything, { ...now, isCountOnly: true })
    expect([counted.keyValues.length, counted.count]).toEqual([0, 3])
    const keysOnly = subject.store.readRange(everything, {
      revision: 5,
      limit: 0,
      isKeysOnly: true,
    })
    expect(keysOnly.keyValues.map((pair) => describePair(pair))).toEqual(
      ['a', 'b', 'c', 'd'].map(
        (key, position) => `${hexOf(bytes(key))}= c${position + 2} m${position + 2} v1`,
      ),
    )
  })

  test('revisions ahead are refused as future, revisions below the compacted one as compacted, that one itself is not', async () => {
    const subject = await workedExample()
    subject.compact(10)
    const read = (revision: number) => () =>
      subject.store.readRange(everything, { revision, limit: 0 })
    expect(codeOf(read(18))).toBe('futureRevision')
    expect(codeOf(read(9))).toBe('compacted')
    expect(codeOf(read(10))).toBe('none')
    expect(codeOf(() => subject.store.findAt(bytes('k'), 9))).toBe('compacted')
    expect(
      codeOf(() => subject.store.changesBetween({ from: 9, to: 18, revisionCountMax: 9 })),
    ).toBe('compacted')
    expect(
      codeOf(() => {
        subject.schedule(10)
      }),
    ).toBe('compacted')
    expect(
      codeOf(() => {
        subject.schedule(-1)
      }),
    ).toBe('compacted')
    expect(
      codeOf(() => {
        subject.schedule(18)
      }),
    ).toBe('futureRevision')
    expect(
      codeOf(() => {
        subject.schedule(17)
      }),
    ).toBe('none')
  })

  test('revision 0 may be compacted once, on a store never compacted', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('a', '1')
    subject.compact(0)
    expect(subject.store.compactedRevision).toBe(0)
    expect(
      codeOf(() => {
        subject.schedule(0)
      }),
    ).toBe('compacted')
    expect(subject.recordNames()).toEqual(['2'])
  })

  test.each([
    [3, '2', 2, 1],
    [5, '4', 2, 2],
    [6, 'none', 0, 0],
    [7, 'none', 0, 0],
    [9, '8', 8, 1],
    [11, '10', 8, 2],
    [12, 'none', 0, 0],
    [14, '14', 14, 1],
    [15, '15', 14, 2],
    [16, 'none', 0, 0],
  ])('worked example: at revision %i the key is %s', async (revision, value, created, version) => {
    const subject = await workedExample()
    const pair = subject.store.findAt(bytes('k'), revision)
    if (value === 'none') expect(pair).toBeUndefined()
    else
      expect(pair && [textOf(pair.value), pair.createRevision, pair.version]).toEqual([
        `at ${value}`,
        created,
        version,
      ])
  })

  const recordsOfKey = (subject: StoreUnderTest): string[] =>
    subject.recordNames().filter((name) => /^(2|4|6t|8|10|12t|14|15\.1|16t)$/.test(name))
  const whole = ['2', '4', '6t', '8', '10', '12t', '14', '15.1', '16t']
  test.each([
    [1, whole],
    [2, whole],
    [3, whole],
    [4, whole.slice(1)],
    [5, whole.slice(1)],
    [6, whole.slice(2)],
    [7, whole.slice(3)],
    [8, whole.slice(3)],
    [9, whole.slice(3)],
    [10, whole.slice(4)],
    [11, whole.slice(4)],
    [12, whole.slice(5)],
    [13, whole.slice(6)],
    [15, whole.slice(7)],
    [16, whole.slice(8)],
    [17, []],
  ])('worked example: a compaction at %i leaves %j', async (revision, left) => {
    for (const stepSize of [1, 2, 1_000]) {
      const subject = await workedExample()
      subject.schedule(revision)
      while (subject.step(stepSize) === 'more');
      expect(recordsOfKey(subject)).toEqual(left)
      expect(subject.sizeOf('head')).toBe(left.length === 0 ? 1 : 2)
    }
  })

  test('a compaction keeps the tombstone exactly at its revision for watchers, and the next one removes it', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('a', '1')
    subject.remove('a')
    subject.compact(3)
    expect(subject.recordNames()).toEqual(['3t'])
    expect(
      subject.store
        .changesBetween({ from: 3, to: 4, revisionCountMax: 10 })
        .map(({ changes }) => changes[0]?.kind),
    ).toEqual(['delete'])
    subject.put('b', '1')
    subject.compact(4)
    expect(subject.recordNames()).toEqual(['4'])
    expect(subject.sizeOf('head')).toBe(1)
  })

  test('the revision does not fall back when a compaction removed the last tombstone and the node crashed (etcd #17780)', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('a', '1')
    subject.remove('a')
    subject.put('a', '1')
    subject.remove('a')
    subject.schedule(5)
    subject.step(1_000)
    expect(subject.recordNames()).toEqual(['5t'])
    await subject.crash(subject.backend.unflushedBatchCount)
    expect(subject.store.currentRevision).toBe(5)
    subject.put('b', '1')
    subject.compact(6)
    subject.remove('b')
    subject.compact(7)
    expect(subject.recordNames()).toEqual(['7t'])
    await subject.crash(subject.backend.unflushedBatchCount)
    expect(subject.store.currentRevision).toBe(7)
    expect(subject.store.compactedRevision).toBe(7)
  })

  test('a compaction interrupted anywhere goes on after the restart and ends in the same records', async () => {
    const reference = await workedExample()
    reference.compact(15)
    const expected = reference.recordNames()
    for (let stepCount = 0; stepCount < 10; stepCount++) {
      const subject = await workedExample()
      subject.schedule(15)
      for (let step = 0; step < stepCount && subject.store.hasCompactionWork; step++)
        subject.step(2)
      await subject.crash(subject.backend.unflushedBatchCount)
      expect(subject.store.compactedRevision).toBe(15)
      while (subject.store.hasCompactionWork) subject.step(2)
      expect(subject.recordNames()).toEqual(expected)
      expect(subject.sizeOf('head')).toBe(reference.sizeOf('head'))
    }
  })

  test('a finished compaction is not begun again after a restart', async () => {
    const subject = await workedExample()
    subject.compact(15)
    await subject.crash(subject.backend.unflushedBatchCount)
    expect(subject.store.hasCompactionWork).toBe(false)
    expect(subject.store.compactedRevision).toBe(15)
  })

  test('a second compaction scheduled while one runs carries it on to the new end', async () => {
    const subject = await workedExample()
    subject.schedule(8)
    subject.step(2)
    subject.schedule(16)
    while (subject.step(2) === 'more');
    const reference = await workedExample()
    reference.compact(16)
    expect(subject.recordNames()).toEqual(reference.recordNames())
    expect(subject.store.hasCompactionWork).toBe(false)
  })

  test('history comes in whole revisions, bounded by their number, and deletes carry their own revision', async () => {
    const subject = await StoreUnderTest.make()
    subject.turn((view) => {
      for (const key of ['a', 'b', 'c']) view.put(bytes(key), bytes('1'), noLease)
    })
    subject.put('a', '2')
    subject.turn((view) => view.deleteRange(everything))
    const first = subject.store.changesBetween({ from: 1, to: 100, revisionCountMax: 1 })
    expect(first.map(({ revision, changes }) => [revision, changes.length])).toEqual([[2, 3]])
    const rest = subject.store.changesBetween({ from: 3, to: 5, revisionCountMax: 100 })
    expect(rest.map(({ revision }) => revision)).toEqual([3, 4])
    expect(rest[1]?.changes.map(({ keyValue }) => describePair(keyValue))).toEqual(
      ['a', 'b', 'c'].map((key) => `${hexOf(bytes(key))}= c0 m4 v0`),
    )
    expect(subject.store.changesBetween({ from: 3, to: 4, revisionCountMax: 100 })).toHaveLength(1)
  })

  test('keys of 200 KiB and values of 1 MiB are stored, found, ranged, deleted and compacted away', async () => {
    const subject = await StoreUnderTest.make()
    const long = (first: number, last: number): Uint8Array => {
      const key = new Uint8Array(200 * 1024).fill(0x61)
      key[0] = first
      key[key.length - 1] = last
      return key
    }
    const keys = [
      long(0x62, 1),
      long(0x62, 2),
      Uint8Array.of(0x62),
      Uint8Array.of(0x63),
      long(0x63, 9),
    ]
    const value = new Uint8Array(1024 * 1024).fill(5)
    for (const key of keys) subject.turn((view) => view.put(key, value, noLease))
    for (const key of keys) subject.turn((view) => view.put(key, bytes('second'), noLease))
    const order = (revision: number): number[][] =>
      subject.store
        .readRange(everything, { revision, limit: 0 })
        .keyValues.map(({ key, value: stored, version }) => [
          key.length,
          key.at(0)!,
          key.at(-1)!,
          stored.length,
          version,
        ])
    const n = 200 * 1024
    const m = 1024 * 1024
    expect(order(6)).toEqual([
      [1, 0x62, 0x62, m, 1],
      [n, 0x62, 1, m, 1],
      [n, 0x62, 2, m, 1],
      [1, 0x63, 0x63, m, 1],
      [n, 0x63, 9, m, 1],
    ])
    expect(order(0).every(([, , , size, version]) => size === 6 && version === 2)).toBe(true)
    const between = { start: long(0x62, 2), end: long(0x63, 9) }
    expect(subject.store.readRange(between, now).count).toBe(2)
    expect(subject.store.findAt(long(0x62, 2), 3)?.value.length).toBe(m)
    expect(subject.store.findAt(long(0x62, 3), 0)).toBeUndefined()
    subject.turn((view) => view.deleteRange(everything))
    subject.put('end', 'x')
    subject.compact(13)
    expect(subject.recordNames()).toEqual(['13'])
    expect([subject.sizeOf('head'), subject.sizeOf('longkey'), subject.sizeOf('key')]).toEqual([
      1, 0, 1,
    ])
  })

  test('a damaged record is an error and not an answer', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('a', 'value')
    const record = [...subject.backend.scan('key', {})][0]!
    record.value[5] = record.value[5]! ^ 1
    expect(() => subject.store.findAt(bytes('a'), 0)).toThrow('does not match its checksum')
    expect(() => subject.store.changesBetween({ from: 1, to: 9, revisionCountMax: 9 })).toThrow(
      'does not match its checksum',
    )
  })

  test('a damaged record among those of a page is an error too', async () => {
    const subject = await StoreUnderTest.make()
    for (const key of ['a', 'b', 'c', 'd']) subject.put(key, 'value')
    const everything = { start: bytes('a'), end: bytes('z') }
    const read = (): number =>
      subject.store.readRange(everything, { revision: 0, limit: 0 }).keyValues.length
    expect(read()).toBe(4)
    const record = [...subject.backend.scan('key', {})][2]!
    const lastByte = record.value.length - 1
    for (const offset of [0, 5, lastByte]) {
      record.value[offset] = record.value[offset]! ^ 1
      expect(read).toThrow('does not match its checksum')
      record.value[offset] = record.value[offset] ^ 1
    }
    expect(read()).toBe(4)
  })

  test('views are closed after a hash', async () => {
    const subject = await workedExample()
    await subject.store.hashAt(0)
    await expect(subject.store.hashAt(99)).rejects.toThrow('future revision')
    expect(subject.backend.viewCount).toBe(0)
  })
})
