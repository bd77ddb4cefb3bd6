import { crc32c } from '@node-rs/crc32'
import { join } from 'node:path'
import { copyBytes } from '../base/bytes.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileSystem } from '../io/file-system.ts'
import { ByteReader, MalformedMessage } from '../proto/byte-reader.ts'
import { ByteWriter } from '../proto/byte-writer.ts'
import { readSnapshot, snapshotSize, writeSnapshot } from '../proto/raft-codec.ts'
import type { Snapshot } from '../raft/message.ts'
import type { WalPosition } from './log-contents.ts'
import { confStateOfWire } from './log-recovery.ts'
import { hex16, listOrEmpty } from './segment.ts'

/**
 * Snapshot files say up to where the state machine's own storage replaces the log, and who was a member then.
 *
 * One file is protobuf `snappb.Snapshot`: `08 checksum`, `12 length raftpb.Snapshot`; the checksum is CRC-32C over the
 * encoded snapshot. Its name is `TTTTTTTTTTTTTTTT-IIIIIIIIIIIIIIII.snap`, term and index in hexadecimal, so that names sort
 * by age. All as in etcd.
 */
const namePattern = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/

/** Snapshot files that a purge leaves. */
const keptFileCount = 5

/**
 * Writes a snapshot file durably: temporary name, sync, rename, directory sync. The log's marker is written after.
 *
 * @throws StorageFault  the disk failed
 */
export async function saveSnapshotFile(
  fileSystem: FileSystem,
  directory: string,
  snapshot: Snapshot,
): Promise<void> {
  const path = join(directory, snapshotFileName(snapshot.metadata))
  const temporaryPath = `${path}.tmp`
  try {
    await fileSystem.makeDirectory(directory)
    const handle = await fileSystem.open(temporaryPath, { create: true })
    try {
      await handle.truncate(0)
      await handle.write(0, [encodeSnapshotFile(snapshot)])
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fileSystem.rename(temporaryPath, path)
    await fileSystem.syncDirectory(directory)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StorageFault(`the snapshot file ${path} cannot be written: ${reason}`, {
      path,
      cause: error,
    })
  }
}

/**
 * The newest readable snapshot that is usable (one that the log can be continued from); undefined when there is none. Asked
 * is from the newest on, until one is. A file that is damaged is renamed to `*.broken`, and the next older one is tried.
 */
export async function loadNewestSnapshotFile(
  fileSystem: FileSystem,
  directory: string,
  options: {
    readonly isUsable: (position: WalPosition) => Promise<boolean>
    readonly logger?: Logger
  },
): Promise<Snapshot | undefined> {
  const logger = options.logger ?? silentLogger
  for (const name of await newestFirst(fileSystem, directory)) {
    const path = join(directory, name)
    const snapshot = await loadSnapshotFile(fileSystem, path)
    if (snapshot === undefined || snapshotFileName(snapshot.metadata) !== name) {
      logger.warn('snapshot file is damaged; trying the one before', { path })
      await fileSystem.rename(path, `${path}.broken`)
      continue
    }
    const { index, term } = snapshot.metadata
    if (await options.isUsable({ index, term })) return snapshot
  }
  return undefined
}

/**
 * Deletes the oldest snapshot files beyond `fileCountMax`.
 *
 * @returns the names deleted
 */
export async function purgeSnapshotFiles(
  fileSystem: FileSystem,
  directory: string,
  fileCountMax = keptFileCount,
): Promise<readonly string[]> {
  const purged = (await newestFirst(fileSystem, directory)).slice(fileCountMax)
  for (const name of purged) await fileSystem.remove(join(directory, name))
  return purged
}

/** Name of the file for a snapshot at this position. */
export function snapshotFileName(position: WalPosition): string {
  return `${hex16(position.term)}-${hex16(position.index)}.snap`
}

/** The content of a snapshot file. */
export function encodeSnapshotFile(snapshot: Snapshot): Uint8Array {
  const writer = new ByteWriter(snapshotSize(snapshot) + 16)
  writeSnapshot(writer, snapshot)
  const encoded = writer.copied()
  writer.reset()
  writer.byte(0x08)
  writer.varint(crc32c(encoded))
  writer.byte(0x12)
  writer.varint(encoded.length)
  writer.bytes(encoded)
  return writer.copied()
}

/** The inverse of {@link encodeSnapshotFile}; undefined when the bytes are not what was written. */
export function decodeSnapshotFile(bytes: Uint8Array): Snapshot | undefined {
  let checksum = 0
  let encoded: Uint8Array | undefined
  try {
    const reader = new ByteReader(bytes)
    while (!reader.isAtEnd()) {
      const tag = reader.tag()
      if (tag === 0x08) checksum = reader.number()
      else if (tag === 0x12) encoded = reader.bytes()
      else reader.skip(tag)
    }
    if (encoded === undefined || encoded.length === 0 || crc32c(encoded) !== checksum) {
      return undefined
    }
    const { data, metadata } = readSnapshot(new ByteReader(encoded))
    const confState = confStateOfWire(metadata.confState)
    return { data: copyBytes(data), metadata: { ...metadata, confState } }
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
}

async function loadSnapshotFile(
  fileSystem: FileSystem,
  path: string,
): Promise<Snapshot | undefined> {
  const handle = await fileSystem.openForReading(path)
  try {
    const sizeBytes = (await fileSystem.findSize(path)) ?? 0
    return decodeSnapshotFile(await handle.read(0, sizeBytes))
  } finally {
    await handle.close()
  }
}

async function newestFirst(fileSystem: FileSystem, directory: string): Promise<readonly string[]> {
  const names = await listOrEmpty(fileSystem, directory)
  return names
    .filter((name) => namePattern.test(name))
    .sort()
    .reverse()
}
