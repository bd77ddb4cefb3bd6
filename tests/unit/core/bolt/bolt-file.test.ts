import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkBoltFile } from '../../../../src/core/bolt/bolt-check.ts'
import { encodeMetaPage } from '../../../../src/core/bolt/bolt-format.ts'
import { StorageFault } from '../../../../src/core/errors/storage-fault.ts'
import { bytesOf, contentOf, openedFile, readWhole, writtenFile } from './bolt-files.ts'

const pageSizeBytes = 4_096

const keyArbitrary = fc
  .uint8Array({ minLength: 1, maxLength: 60 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'))
const valueArbitrary = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 1, arbitrary: fc.nat(30_000).map((sizeBytes) => new Uint8Array(sizeBytes).fill(7)) },
)
const recordsArbitrary = fc
  .array(fc.tuple(keyArbitrary, valueArbitrary), { maxLength: 300 })
  .map((entries) => new Map(entries))
const contentArbitrary = fc
  .array(fc.tuple(fc.constantFrom('key', 'meta', 'auth', 'lease'), recordsArbitrary))
  .map((entries) => new Map(entries))

/** Many records, so that the tree has branches. */
function countedRecords(count: number, valueSizeBytes: number): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>()
  for (let position = 0; position < count; position++) {
    records.set(String(position).padStart(8, '0'), new Uint8Array(valueSizeBytes).fill(position))
  }
  return records
}

describe('BoltWriter and BoltFile', () => {
  test('what was written is read, and the file holds together', async () => {
    await fc.assert(
      fc.asyncProperty(contentArbitrary, async (content) => {
        const file = await openedFile(await writtenFile(content))
        expect(await checkBoltFile(file)).toEqual([])
        const read = await contentOf(file)
        expect(read).toEqual(
          new Map([...content].sort(([left], [right]) => (left < right ? -1 : 1))),
        )
      }),
      { numRuns: 30 },
    )
  })

  test('a tree of several levels is read in order and searched', async () => {
    const records = countedRecords(30_000, 40)
    const file = await openedFile(await writtenFile(new Map([['key', records]])))
    expect(await checkBoltFile(file)).toEqual([])
    const [bucket] = await file.buckets()
    expect([...(await contentOf(file)).get('key')!.keys()]).toEqual([...records.keys()])
    for (const key of ['00000000', '00000063', '00013337', '00029999']) {
      expect(await file.get(bucket!, bytesOf(key))).toEqual(records.get(key))
    }
    for (const key of ['', '0000', '00000063x', '9']) {
      expect(await file.get(bucket!, bytesOf(key))).toBeUndefined()
    }
  })

  test('every branch leads to at least two pages', async () => {
    // Keys of which a branch takes four: with so few, every number of leaves ends some level in another way.
    for (let count = 1; count <= 60; count++) {
      const records = new Map<string, Uint8Array>()
      for (let position = 0; position < count; position++) {
        records.set(String(position).padStart(900, '0'), new Uint8Array(3_000))
      }
      const file = await openedFile(await writtenFile(new Map([['key', records]])))
      expect(await checkBoltFile(file)).toEqual([])
      for (let id = 3; id < file.meta.pageCount; id++) {
        const { content } = await file.page(id)
        if (content.kind === 'branch') expect(content.children.length).toBeGreaterThan(1)
      }
    }
  })

  test('pages have the bytes that the format asks for', async () => {
    const bytes = await writtenFile(new Map([['b', new Map([['k', bytesOf('value')]])]]))
    expect(bytes.length).toBe(5 * pageSizeBytes)
    const hex = (start: number, end: number): string =>
      Buffer.from(bytes.subarray(start, end)).toString('hex')
    // Free list: page 2, flags 16, nothing in it.
    expect(hex(2 * pageSizeBytes, 2 * pageSizeBytes + 16)).toBe('02000000000000001000000000000000')
    // Leaf: page 3, flags 2, one element whose key stands 16 bytes behind it.
    expect(hex(3 * pageSizeBytes, 3 * pageSizeBytes + 38)).toBe(
      '03000000000000000200010000000000' + '00000000100000000100000005000000' + '6b76616c7565',
    )
    // Leaf of the bucket of buckets: page 4, an element that is a bucket with its root at page 3.
    expect(hex(4 * pageSizeBytes, 4 * pageSizeBytes + 49)).toBe(
      '04000000000000000200010000000000' +
        '01000000100000000100000010000000' +
        '62' +
        '03000000000000000000000000000000',
    )
    expect(hex(0, 16 + 56)).toBe(
      '00000000000000000400000000000000' +
        'edda0ced02000000' +
        '0010000000000000' +
        '04000000000000000000000000000000' +
        '0200000000000000' +
        '0500000000000000' +
        '0200000000000000',
    )
  })

  test('the newer of the two meta pages counts, and the older one where the newer is damaged', async () => {
    const bytes = await writtenFile(new Map([['b', new Map([['k', bytesOf('value')]])]]))
    const meta = { pageSizeBytes, rootPage: 3, freelistPage: undefined, pageCount: 5 }
    bytes.set(encodeMetaPage(1, { ...meta, transaction: 9 }), pageSizeBytes)
    expect((await openedFile(bytes)).meta.transaction).toBe(9)
    bytes[pageSizeBytes + 30] = 1
    expect((await openedFile(bytes)).meta.transaction).toBe(2)
    bytes[30] = 1
    await expect(openedFile(bytes)).rejects.toThrow('/snapshot.db: invalid database')
  })

  test('the second meta page is found when the first is damaged', async () => {
    const bytes = await writtenFile(new Map([['b', new Map([['k', bytesOf('value')]])]]))
    bytes[30] = 1
    expect((await openedFile(bytes)).meta.transaction).toBe(1)
  })

  test('a file that is cut short is refused by name', async () => {
    const bytes = await writtenFile(new Map([['b', countedRecords(200, 100)]]))
    const fault = await openedFile(bytes.subarray(0, bytes.length - 1)).catch(
      (error: unknown) => error,
    )
    expect(fault).toBeInstanceOf(StorageFault)
    expect((fault as StorageFault).message).toMatch(
      /^\/snapshot\.db: the database file is cut short/,
    )
  })

  test('pages that lead to themselves end in a fault and not in a loop', async () => {
    const bytes = await writtenFile(new Map([['key', countedRecords(1_000, 100)]]))
    const file = await openedFile(bytes)
    const [bucket] = await file.buckets()
    const root = (bucket!.root as { readonly page: number }).page
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    view.setBigUint64(root * pageSizeBytes + 16 + 8, BigInt(root), true)
    const damaged = await openedFile(bytes)
    await expect(contentOf(damaged)).rejects.toThrow(
      `/snapshot.db: page ${root}: multiple references`,
    )
    expect(await checkBoltFile(damaged)).toContain(`page ${root}: multiple references`)
    await expect(damaged.get(bucket!, bytesOf('00000000'))).rejects.toThrow(StorageFault)
  })

  test('whatever is damaged, reading ends with a fault or with an answer', async () => {
    const whole = await writtenFile(
      new Map([
        ['key', countedRecords(400, 150)],
        ['big', new Map([['k', new Uint8Array(50_000).fill(3)]])],
        ['none', new Map()],
      ]),
    )
    const damage = fc.array(
      fc.record({
        // Headers and elements stand at the front of each page.
        page: fc.nat(whole.length / pageSizeBytes - 1),
        offset: fc.oneof(fc.nat(120), fc.nat(pageSizeBytes - 1)),
        value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0xff)),
      }),
      { minLength: 1, maxLength: 6 },
    )
    await fc.assert(
      fc.asyncProperty(damage, fc.option(fc.nat(whole.length)), async (changes, cutAt) => {
        const bytes = whole.slice(0, cutAt ?? whole.length)
        for (const change of changes) {
          const at = change.page * pageSizeBytes + change.offset
          if (at < bytes.length) bytes[at] = change.value
        }
        try {
          await readWhole(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(StorageFault)
          expect((error as StorageFault).message).toContain('/snapshot.db')
        }
      }),
      { numRuns: 400 },
    )
  })
})

describe('checkBoltFile', () => {
  test('names a page that nothing leads to', async () => {
    const bytes = await writtenFile(new Map([['b', new Map([['k', bytesOf('value')]])]]))
    const grown = new Uint8Array(bytes.length + pageSizeBytes)
    grown.set(bytes)
    const meta = { pageSizeBytes, rootPage: 4, freelistPage: 2, pageCount: 6, transaction: 4 }
    grown.set(encodeMetaPage(0, meta))
    expect(await readWhole(grown)).toEqual(['page 5: unreachable unfreed'])
    // Without a free list, what nothing leads to is free.
    grown.set(encodeMetaPage(0, { ...meta, freelistPage: undefined }))
    expect(await readWhole(grown)).toEqual([])
  })
})
