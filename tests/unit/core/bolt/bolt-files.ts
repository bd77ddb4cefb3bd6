import { latin1Of } from '../../../../src/core/base/bytes.ts'
import { checkBoltFile } from '../../../../src/core/bolt/bolt-check.ts'
import { BoltFile } from '../../../../src/core/bolt/bolt-reader.ts'
import { BoltWriter } from '../../../../src/core/bolt/bolt-writer.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'

const path = '/snapshot.db'
const encoder = new TextEncoder()

/** Buckets by name, each with its records by key; both in any order. */
export type BoltContent = ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>

/** Bytes of a text. */
export const bytesOf = (text: string): Uint8Array => encoder.encode(text)

/** The file that the writer makes of this content; keys are one character per byte. */
export async function writtenFile(content: BoltContent): Promise<Uint8Array> {
  const fileSystem = new MemoryFileSystem()
  const file = await fileSystem.open(path, { create: true })
  const writer = new BoltWriter(file)
  for (const [name, records] of content) {
    writer.beginBucket(bytesOf(name))
    const keys = [...records.keys()].sort((left, right) => (left < right ? -1 : 1))
    for (const key of keys) {
      writer.add(Buffer.from(key, 'latin1'), records.get(key)!)
      if (writer.bufferedSizeBytes > 20_000) await writer.drain()
    }
  }
  await writer.finish()
  await file.close()
  return fileSystem.files.get(path)!
}

/** Opens bytes as a file. */
export async function openedFile(bytes: Uint8Array): Promise<BoltFile> {
  const fileSystem = new MemoryFileSystem()
  fileSystem.files.set(path, bytes)
  return BoltFile.open(await fileSystem.openForReading(path), bytes.length)
}

/** Everything in a file. */
export async function contentOf(file: BoltFile): Promise<Map<string, Map<string, Uint8Array>>> {
  const content = new Map<string, Map<string, Uint8Array>>()
  for (const bucket of await file.buckets()) {
    const records = new Map<string, Uint8Array>()
    for await (const leaf of file.scan(bucket.root)) {
      for (const record of leaf) records.set(latin1Of(record.key), record.value.slice())
    }
    content.set(latin1Of(bucket.name), records)
  }
  return content
}

/** Opens, checks and reads everything; gives back the problems found by the check. */
export async function readWhole(bytes: Uint8Array): Promise<readonly string[]> {
  const file = await openedFile(bytes)
  const problems = await checkBoltFile(file)
  await contentOf(file)
  return problems
}
