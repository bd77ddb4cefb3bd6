/**
 * A disk that loses what was not synced.
 *
 * A file is a list of 512-byte sectors in two versions: what reads see, and what is durable. A write changes the first;
 * `sync` copies the sectors that were dirty when it was called. Names live in directories, which have two versions as
 * well; a created, renamed or removed name becomes durable with `syncDirectory` of its directory. A crash lets any part of
 * what was pending survive, as the faults of the run allow, and makes the durable version the only one.
 *
 * Example: write 1,000 bytes (sectors 0 and 1), sync, write 100 bytes at 1,000 (sector 1 and 2), crash. Sector 0 is as
 * written; sectors 1 and 2 are independently old or new, and the later one may be torn at any byte.
 */
import type { Random } from '../../../src/core/base/random.ts'

/** The unit that a disk writes whole or, for the last one at a crash, torn. */
export const sectorSizeBytes = 512

/** A regular file. */
export class SimFile {
  readonly kind = 'file'
  /** What reads see; longer than `sizeBytes` while there is room to grow. */
  content = new Uint8Array(0)
  sizeBytes = 0
  durable = new Uint8Array(0)
  durableSizeBytes = 0
  /** Sectors written since the last sync began, oldest first. */
  readonly dirtySectors = new Set<number>()
  /** Sectors that a running sync is writing, with the bytes they had at its start. */
  readonly syncingSectors = new Map<number, Uint8Array>()
  /** Grows with each change below the durable end, so that readers of the durable bytes know when to start over. */
  rewriteCount = 0

  /** Puts bytes where reads see them and marks their sectors. */
  write(offsetBytes: number, bytes: Uint8Array): void {
    const endBytes = offsetBytes + bytes.length
    this.content = withRoom(this.content, endBytes)
    this.content.set(bytes, offsetBytes)
    this.sizeBytes = Math.max(this.sizeBytes, endBytes)
    for (const sector of sectorsOf(offsetBytes, endBytes)) {
      // Written again means written last: moved to the end of the order.
      this.dirtySectors.delete(sector)
      this.dirtySectors.add(sector)
    }
  }

  /** Cuts or extends with zeros. */
  truncate(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) {
      this.content.fill(0, sizeBytes, this.sizeBytes)
      for (const sector of this.dirtySectors) {
        if (sector * sectorSizeBytes >= sizeBytes) this.dirtySectors.delete(sector)
      }
      if (sizeBytes < this.durableSizeBytes)
        this.dirtySectors.add(Math.floor(sizeBytes / sectorSizeBytes))
    } else {
      this.content = withRoom(this.content, sizeBytes)
    }
    this.sizeBytes = sizeBytes
  }

  /** The bytes of one sector as reads see them, always of full length. */
  sectorBytes(sector: number): Uint8Array {
    const start = sector * sectorSizeBytes
    const bytes = new Uint8Array(sectorSizeBytes)
    bytes.set(this.content.subarray(start, Math.min(start + sectorSizeBytes, this.sizeBytes)))
    return bytes
  }

  /** Makes one sector durable with these bytes. */
  persistSector(sector: number, bytes: Uint8Array): void {
    const start = sector * sectorSizeBytes
    this.durable = withRoom(this.durable, start + sectorSizeBytes)
    this.durable.set(bytes, start)
  }

  /** Sets the durable size; bytes beyond it are zero should the file grow again. */
  persistSize(sizeBytes: number): void {
    if (sizeBytes < this.durableSizeBytes) {
      this.durable.fill(0, sizeBytes)
      this.rewriteCount += 1
    }
    this.durable = withRoom(this.durable, sizeBytes)
    this.durableSizeBytes = sizeBytes
  }

  /** After a crash nothing but the durable version is left. */
  forgetPending(): void {
    this.dirtySectors.clear()
    this.syncingSectors.clear()
    this.content = this.durable.slice(0, this.durableSizeBytes)
    this.sizeBytes = this.durableSizeBytes
    this.rewriteCount += 1
  }
}

/** A directory. `attachment` carries the simulated database that lives in it. */
export class SimDirectory {
  readonly kind = 'directory'
  readonly entries = new Map<string, SimNode>()
  readonly durableEntries = new Map<string, SimNode>()
  attachment: unknown = undefined
}

export type SimNode = SimFile | SimDirectory

/** One change of a name; `node` undefined removes it. */
interface NameChange {
  readonly directory: SimDirectory
  readonly name: string
  readonly node: SimNode | undefined
}

/** What of the pending state a crash may take. */
export interface CrashRules {
  /** D1: unsynced writes are lost from some point on. Off: the process died, the machine did not. */
  readonly losesUnsynced: boolean
  /** D2: the first lost sector may be torn. */
  readonly tearsLastWrite: boolean
  /** D3: sectors survive independently of their order. */
  readonly reordersUnsynced: boolean
  /** D4: names that were not synced are lost from some point on. */
  readonly losesNames: boolean
}

/** The durable thing below all lives of one node. */
export class SimDisk {
  readonly root = new SimDirectory()
  private readonly pendingNames: (readonly NameChange[])[] = []

  /** @param mountPath  a directory that is there and durable from the beginning */
  constructor(mountPath = '') {
    let directory = this.root
    for (const name of pathParts(mountPath)) {
      const next = new SimDirectory()
      directory.entries.set(name, next)
      directory.durableEntries.set(name, next)
      directory = next
    }
  }

  /** Follows a path of current names. */
  find(path: string): SimNode | undefined {
    return this.follow(path, (directory) => directory.entries)
  }

  /** Follows a path of durable names: what a crash now would surely leave. */
  findDurable(path: string): SimNode | undefined {
    return this.follow(path, (directory) => directory.durableEntries)
  }

  /** Changes names in one step; pending until one of their directories is synced. */
  changeNames(changes: readonly NameChange[]): void {
    for (const { directory, name, node } of changes) setName(directory.entries, name, node)
    this.pendingNames.push(changes)
  }

  /** Makes all name changes of a directory durable, in order, each with its other half. */
  syncNames(directory: SimDirectory): void {
    for (let position = 0; position < this.pendingNames.length;) {
      const changes = this.pendingNames[position]!
      if (changes.some((change) => change.directory === directory)) {
        persistNames(changes)
        this.pendingNames.splice(position, 1)
      } else {
        position += 1
      }
    }
  }

  /** Applies the rules of a crash; afterwards only what is durable exists. */
  crash(rules: CrashRules, random: Random): void {
    const keptNameCount = rules.losesNames
      ? random.below(this.pendingNames.length + 1)
      : this.pendingNames.length
    for (const changes of this.pendingNames.slice(0, keptNameCount)) persistNames(changes)
    this.pendingNames.length = 0
    this.crashTree(this.root, rules, random)
  }

  private crashTree(directory: SimDirectory, rules: CrashRules, random: Random): void {
    directory.entries.clear()
    const names = [...directory.durableEntries.keys()].sort()
    for (const name of names) {
      const node = directory.durableEntries.get(name)!
      directory.entries.set(name, node)
      if (node.kind === 'directory') this.crashTree(node, rules, random)
      else crashFile(node, rules, random)
    }
  }

  private follow(
    path: string,
    entriesOf: (directory: SimDirectory) => Map<string, SimNode>,
  ): SimNode | undefined {
    let node: SimNode | undefined = this.root
    for (const name of pathParts(path)) {
      if (node?.kind !== 'directory') return undefined
      node = entriesOf(node).get(name)
    }
    return node
  }
}

/** The names of a path, without empty ones and dots. */
export function pathParts(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

function crashFile(file: SimFile, rules: CrashRules, random: Random): void {
  const pending = [...new Set([...file.syncingSectors.keys(), ...file.dirtySectors])]
  const isSizePending = file.sizeBytes !== file.durableSizeBytes
  if (pending.length === 0 && !isSizePending) {
    file.forgetPending()
    return
  }
  if (!rules.losesUnsynced) {
    for (const sector of pending) file.persistSector(sector, file.sectorBytes(sector))
    file.persistSize(file.sizeBytes)
    file.forgetPending()
    return
  }
  const survivors = chooseSurvivors(pending, rules, random)
  let endBytes = file.durableSizeBytes
  for (const sector of survivors.whole) {
    const older = file.syncingSectors.get(sector)
    const isOlderVersion =
      older !== undefined && file.dirtySectors.has(sector) && random.below(2) === 0
    file.persistSector(sector, isOlderVersion ? older : file.sectorBytes(sector))
    endBytes = Math.max(endBytes, Math.min((sector + 1) * sectorSizeBytes, file.sizeBytes))
  }
  if (survivors.torn !== undefined) {
    const start = survivors.torn * sectorSizeBytes
    const keptBytes = 1 + random.below(sectorSizeBytes - 1)
    file.durable = withRoom(file.durable, start + sectorSizeBytes)
    file.durable.set(file.sectorBytes(survivors.torn).subarray(0, keptBytes), start)
    endBytes = Math.max(endBytes, Math.min(start + keptBytes, file.sizeBytes))
  }
  const isCutPending = file.sizeBytes < file.durableSizeBytes
  file.persistSize(isCutPending && random.below(2) === 0 ? file.sizeBytes : endBytes)
  file.forgetPending()
}

function chooseSurvivors(
  pending: readonly number[],
  rules: CrashRules,
  random: Random,
): { readonly whole: readonly number[]; readonly torn: number | undefined } {
  if (rules.reordersUnsynced && random.below(2) === 0) {
    const whole = pending.filter(() => random.below(2) === 0)
    const last = pending.at(-1)
    const isTorn = rules.tearsLastWrite && last !== undefined && random.below(2) === 0
    return {
      whole: isTorn ? whole.filter((sector) => sector !== last) : whole,
      torn: isTorn ? last : undefined,
    }
  }
  const keptCount = random.below(pending.length + 1)
  const isTorn = rules.tearsLastWrite && keptCount < pending.length && random.below(2) === 0
  return { whole: pending.slice(0, keptCount), torn: isTorn ? pending[keptCount] : undefined }
}

function persistNames(changes: readonly NameChange[]): void {
  for (const { directory, name, node } of changes) setName(directory.durableEntries, name, node)
}

function setName(entries: Map<string, SimNode>, name: string, node: SimNode | undefined): void {
  if (node === undefined) entries.delete(name)
  else entries.set(name, node)
}

function sectorsOf(startBytes: number, endBytes: number): readonly number[] {
  const sectors: number[] = []
  const lastSector = Math.ceil(endBytes / sectorSizeBytes)
  for (let sector = Math.floor(startBytes / sectorSizeBytes); sector < lastSector; sector++)
    sectors.push(sector)
  return sectors
}

function withRoom(bytes: Uint8Array<ArrayBuffer>, sizeBytes: number): Uint8Array<ArrayBuffer> {
  if (bytes.length >= sizeBytes) return bytes
  const grown = new Uint8Array(Math.max(sizeBytes, bytes.length * 2, 1_024))
  grown.set(bytes)
  return grown
}
