import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { writeAppliedState } from '../apply/applied-index.ts'
import { LmdbBackendFactory } from '../backend/lmdb-backend-factory.ts'
import type { Backend } from '../backend/backend.ts'
import { metaKeys } from '../backend/buckets.ts'
import { emptyBytes, equalBytes } from '../base/bytes.ts'
import { silentLogger, type Logger } from '../base/logger.ts'
import { BoltFile } from '../bolt/bolt-reader.ts'
import type { FileHandle } from '../io/file-system.ts'
import { nodeFileSystem } from '../io/node-file-system.ts'
import { systemClock } from '../io/system-clock.ts'
import { ClusterMembership } from '../membership/cluster-membership.ts'
import { encodeRevisionKey } from '../mvcc/revision.ts'
import { identifyNew, nodePathsOf, type NodePaths } from '../node/bootstrap.ts'
import { DatabaseFolder } from '../node/database-folder.ts'
import { emptyConfState } from '../raft/conf-change.ts'
import type { Entry, SnapshotMetadata } from '../raft/message.ts'
import { importDatabaseFile } from '../snapshot/database-import.ts'
import { saveSnapshotFile } from '../wal/snapshot-file.ts'
import { WriteAheadLog } from '../wal/write-ahead-log.ts'
import { commandExitCodes, CommandError } from './command-line.ts'

export interface RestoreOptions {
  /** The snapshot file. */
  readonly path: string
  readonly name: string
  readonly dataDirectory: string
  /** Empty: below the data directory. */
  readonly walDirectory: string
  /** `name=url,…` */
  readonly initialCluster: string
  readonly initialClusterToken: string
  /** Of this member. */
  readonly peerUrls: readonly string[]
  readonly skipsHashCheck: boolean
  /** By how much the newest revision rises; everything older counts as compacted then. 0: not at all. */
  readonly revisionBump: number
}

const digestSizeBytes = 32
/** A saved snapshot is whole sectors and its digest; a file copied from a data directory has none. */
const sectorSizeBytes = 512
const copySizeBytes = 1_048_576

/** The log of a restored member begins in this term, as that of a new one does. */
const firstTerm = 1

/**
 * Makes the data directory of a member of a new cluster that begins with the content of a snapshot file. The members of
 * the old cluster are forgotten; keys with their history, leases, users and roles, and alarms are kept.
 *
 * @throws CommandError  the flags do not fit; StorageFault  the file is damaged. Nothing is left behind then
 */
export async function restoreSnapshot(logger: Logger, options: RestoreOptions): Promise<void> {
  const identity = identityOf(options)
  const paths = nodePathsOf({
    dataDirectory: options.dataDirectory,
    walDirectory: options.walDirectory === '' ? undefined : options.walDirectory,
  })
  const fields = {
    caller: 'snapshot/database-import.ts',
    path: options.path,
    'wal-dir': paths.wal,
    'data-dir': options.dataDirectory,
    'snap-dir': paths.snapshots,
  }
  if (!(await isAbsentOrEmpty(options.dataDirectory))) {
    throw new CommandError(
      `data-dir "${options.dataDirectory}" not empty or could not be read`,
      commandExitCodes.failure,
    )
  }
  if (options.walDirectory !== '' && existsSync(options.walDirectory)) {
    throw new CommandError(`wal-dir "${options.walDirectory}" exists`, commandExitCodes.failure)
  }
  logger.info('restoring snapshot', fields)
  const file = await openSnapshot(options.path)
  try {
    const sizeBytes = await databaseSizeOf(file, options)
    await restoreInto(paths, options, { identity, bolt: await BoltFile.open(file, sizeBytes) })
  } catch (error) {
    // What is half restored must not be started.
    await rm(`${options.dataDirectory}/member`, { recursive: true, force: true })
    await rm(paths.wal, { recursive: true, force: true })
    throw error
  } finally {
    await file.close()
  }
  logger.info('restored snapshot', fields)
}

type NewMember = ReturnType<typeof identifyNew>

function identityOf(options: RestoreOptions): NewMember {
  const initialCluster = parseInitialCluster(options.initialCluster)
  const listed = initialCluster.get(options.name)
  // Whoever is not listed is refused by name below.
  if (listed !== undefined) checkOwnUrls(options, listed)
  return identifyNew(
    { sha1: (bytes) => createHash('sha1').update(bytes).digest() },
    { name: options.name, initialCluster, initialClusterToken: options.initialClusterToken },
  )
}

function parseInitialCluster(text: string): ReadonlyMap<string, readonly string[]> {
  const cluster = new Map<string, string[]>()
  for (const part of text.split(',')) {
    const separator = part.indexOf('=')
    const name = part.slice(0, Math.max(separator, 0)).trim()
    const url = part.slice(separator + 1).trim()
    if (name === '') {
      throw new CommandError(`empty URL given for "${part}"`, commandExitCodes.failure)
    }
    if (!/^(https?|unixs?):/.test(url)) {
      throw new CommandError(
        `URL scheme must be http, https, unix, or unixs: ${url}`,
        commandExitCodes.failure,
      )
    }
    cluster.set(name, [...(cluster.get(name) ?? []), url])
  }
  return cluster
}

function checkOwnUrls(options: RestoreOptions, listed: readonly string[]): void {
  const { name, peerUrls } = options
  const unadvertised = listed.filter((url) => !peerUrls.includes(url))
  if (unadvertised.length > 0) {
    throw new CommandError(
      `--initial-cluster has ${unadvertised.map((url) => `${name}=${url}`).join(',')} but missing from --initial-advertise-peer-urls=${peerUrls.join(',')}`,
      commandExitCodes.failure,
    )
  }
  const unlisted = peerUrls.filter((url) => !listed.includes(url))
  if (unlisted.length > 0) {
    throw new CommandError(
      `--initial-advertise-peer-urls has ${unlisted.map((url) => `${name}=${url}`).join(',')} but missing from --initial-cluster=${options.initialCluster}`,
      commandExitCodes.failure,
    )
  }
}

async function isAbsentOrEmpty(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT'
  }
}

async function openSnapshot(path: string): Promise<FileHandle> {
  try {
    return await nodeFileSystem.openForReading(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    throw new CommandError(`open ${path}: no such file or directory`, commandExitCodes.failure, {
      cause: error,
    })
  }
}

/** Size of the file without its digest, which is compared unless that is not wanted. */
async function databaseSizeOf(file: FileHandle, options: RestoreOptions): Promise<number> {
  const fileSizeBytes = (await nodeFileSystem.findSize(options.path)) ?? 0
  if (fileSizeBytes % sectorSizeBytes !== digestSizeBytes) {
    if (options.skipsHashCheck) return fileSizeBytes
    throw new CommandError(
      'snapshot missing hash but --skip-hash-check=false',
      commandExitCodes.failure,
    )
  }
  const sizeBytes = fileSizeBytes - digestSizeBytes
  if (options.skipsHashCheck) return sizeBytes
  const digest = createHash('sha256')
  for (let offset = 0; offset < sizeBytes; offset += copySizeBytes) {
    digest.update(await file.read(offset, Math.min(copySizeBytes, sizeBytes - offset)))
  }
  const stored = await file.read(sizeBytes, digestSizeBytes)
  const computed = digest.digest()
  if (equalBytes(stored, computed)) return sizeBytes
  throw new CommandError(
    `expected sha256 [${stored.join(' ')}], got [${computed.join(' ')}]`,
    commandExitCodes.failure,
  )
}

async function restoreInto(
  paths: NodePaths,
  options: RestoreOptions,
  source: { readonly identity: NewMember; readonly bolt: BoltFile },
): Promise<void> {
  const { identity, bolt } = source
  const factory = new LmdbBackendFactory({ clock: systemClock })
  await nodeFileSystem.makeDirectory(paths.snapshots)
  const folder = await DatabaseFolder.open(
    { fileSystem: nodeFileSystem, factory, logger: silentLogger },
    paths.databases,
  )
  const position: SnapshotMetadata = {
    index: identity.bootstrapPeers.length,
    term: firstTerm,
    confState: { ...emptyConfState, voters: identity.bootstrapPeers.map((peer) => peer.id) },
  }
  const backend = await folder.openLive()
  try {
    const { revision } = await importDatabaseFile(bolt, backend)
    beginAnew(backend, { identity, position, revision, revisionBump: options.revisionBump })
    await backend.flush()
  } finally {
    await backend.close()
  }
  await beginLog(paths, identity, position)
}

/** The database belongs to the new cluster from here on. */
function beginAnew(
  backend: Backend,
  start: {
    readonly identity: NewMember
    readonly position: SnapshotMetadata
    readonly revision: number
    readonly revisionBump: number
  },
): void {
  const { identity, position, revision, revisionBump } = start
  const batch = backend.beginBatch()
  for (const bucket of ['members', 'members_removed'] as const) {
    for (const { key } of [...backend.scan(bucket, {})]) batch.remove(bucket, key)
  }
  backend.commitBatch(batch)
  const membership = ClusterMembership.open(backend)
  const members = backend.beginBatch()
  for (const member of identity.knownMembers) membership.apply(members, { kind: 'add', member })
  writeAppliedState(members, position)
  if (revisionBump > 0) {
    // The revision is read back from this marker: reads of everything before are refused as compacted.
    const raised = encodeRevisionKey(revision + revisionBump, 0)
    members.put('meta', metaKeys.scheduledCompactRevision, raised)
  }
  backend.commitBatch(members)
}

/** A log that begins as that of a new cluster, with the snapshot behind the first entries. */
async function beginLog(
  paths: NodePaths,
  identity: NewMember,
  position: SnapshotMetadata,
): Promise<void> {
  const { memberId, clusterId, bootstrapPeers } = identity
  const wal = await WriteAheadLog.create(nodeFileSystem, paths.wal, { nodeId: memberId, clusterId })
  try {
    const entries = bootstrapPeers.map(({ data }, at): Entry => ({
      index: at + 1,
      term: firstTerm,
      kind: 'confChange',
      data,
    }))
    const [first] = bootstrapPeers
    const vote = first?.id ?? memberId
    const hardState = { term: firstTerm, vote, commit: entries.length }
    await wal.save(hardState, entries, { mustSync: true })
    await saveSnapshotFile(nodeFileSystem, paths.snapshots, {
      metadata: position,
      data: emptyBytes,
    })
    await wal.saveSnapshotMarker(position)
  } finally {
    await wal.close()
  }
}
