/**
 * Commands that work on files while no node runs: what etcd's offline tool does, with its names, flags, texts and exit codes.
 *
 * | command | on |
 * | --- | --- |
 * | `snapshot status`, `snapshot restore` | a saved snapshot |
 * | `hashkv FILE` | a saved snapshot |
 * | `defrag --data-dir` | the directory of a node that does not run |
 * | `version` | nothing |
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LmdbBackendFactory } from '../backend/lmdb-backend-factory.ts'
import { silentLogger } from '../base/logger.ts'
import { lockDirectory } from '../io/directory-lock.ts'
import { nodeFileSystem } from '../io/node-file-system.ts'
import { systemClock } from '../io/system-clock.ts'
import { MvccStore, type HashResult } from '../mvcc/mvcc-store.ts'
import { nodePathsOf } from '../node/bootstrap.ts'
import { DatabaseFolder } from '../node/database-folder.ts'
import { nodeConfigDefaults } from '../node/node-config.ts'
import { importOpenFile } from '../snapshot/database-import.ts'
import {
  commandExitCodes,
  CommandError,
  describeCommandFlags,
  parseCommandLine,
  type CommandFlag,
  type CommandLine,
} from './command-line.ts'
import { commonFlags, printerOf, tableOf, textFlag, type Printers } from './command-output.ts'
import { openLog } from './log-output.ts'
import { runSnapshotCommand } from './snapshot-command.ts'

/** @param words  the command line behind the command's name; what is returned is the exit code */
type Command = (words: readonly string[]) => Promise<number>

/** The command that a command line begins with, if it is one of these. */
export function findOfflineCommand(name: string | undefined): Command | undefined {
  switch (name) {
    case 'snapshot':
      return runSnapshotCommand
    case 'hashkv':
      return reporting(runHashKv)
    case 'defrag':
      return reporting(runDefrag)
    case 'version':
      return reporting(runVersion)
    default:
      return undefined
  }
}

function reporting(run: Command): Command {
  return async (words) => {
    try {
      return await run(words)
    } catch (error) {
      process.stderr.write(`Error: ${error instanceof Error ? error.message : String(error)}\n`)
      return error instanceof CommandError ? error.exitCode : commandExitCodes.failure
    }
  }
}

const hashKvFlags = new Map<string, CommandFlag>([
  ['rev', textFlag('0', 'maximum revision to hash (default: latest revision)')],
  ...commonFlags,
])
const defragFlags = new Map<string, CommandFlag>([
  ['data-dir', textFlag('', 'Required. Defragments a data directory not in use by a node.')],
  ...commonFlags,
])
const versionFlags = new Map<string, CommandFlag>(commonFlags)

const hashPrinters: Printers<HashResult> = {
  simple: (result) => `${hashColumnsOf(result).join(', ')}\n`,
  json: ({ hash, hashRevision, compactedRevision: compactRevision }) =>
    `${JSON.stringify({ hash, hashRevision, compactRevision })}\n`,
  fields: ({ hash, hashRevision, compactedRevision }) =>
    `"Hash" : ${hash}\n"Hash revision" : ${hashRevision}\n"Compact revision" : ${compactedRevision}\n`,
  table: (result) => tableOf(['hash', 'hash revision', 'compact revision'], hashColumnsOf(result)),
}

function hashColumnsOf({ hash, hashRevision, compactedRevision }: HashResult): readonly string[] {
  return [hash.toString(16), String(hashRevision), String(compactedRevision)]
}

async function runHashKv(words: readonly string[]): Promise<number> {
  const line = parseCommandLine(words, hashKvFlags)
  if (isHelpAsked(line, 'hashkv <filename>', hashKvFlags)) return 0
  const [path] = line.words
  if (path === undefined || line.words.length > 1) {
    throw new CommandError(
      'hashkv command requires exactly one argument',
      commandExitCodes.badArguments,
    )
  }
  const print = printerOf(hashPrinters, line)
  const revisionText = line.texts.get('rev') ?? ''
  if (!/^[+-]?\d+$/.test(revisionText)) {
    throw new CommandError(
      `invalid argument "${revisionText}" for "--rev" flag: strconv.ParseInt: parsing "${revisionText}": invalid syntax`,
      commandExitCodes.failure,
    )
  }
  process.stdout.write(print(await hashOfFile(path, Number(revisionText))))
  return 0
}

/** The file is unpacked into a database of ours, which is thrown away. */
async function hashOfFile(path: string, revision: number): Promise<HashResult> {
  const sizeBytes = await nodeFileSystem.findSize(path)
  if (sizeBytes === undefined) {
    throw new CommandError(`stat ${path}: no such file or directory`, commandExitCodes.failure)
  }
  const file = await nodeFileSystem.openForReading(path)
  const folder = await mkdtemp(join(tmpdir(), 'quorated-hashkv-'))
  try {
    const factory = new LmdbBackendFactory({ clock: systemClock })
    const backend = await factory.open(folder)
    try {
      await importOpenFile(file, sizeBytes, backend)
      const store = MvccStore.open(backend, { clock: systemClock, logger: silentLogger })
      return await store.hashAt(revision)
    } finally {
      await backend.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
    await file.close()
  }
}

async function runDefrag(words: readonly string[]): Promise<number> {
  const line = parseCommandLine(words, defragFlags)
  if (isHelpAsked(line, 'defrag', defragFlags)) return 0
  const dataDirectory = line.texts.get('data-dir') ?? ''
  if (!line.given.has('data-dir')) {
    throw new CommandError('required flag(s) "data-dir" not set', commandExitCodes.failure)
  }
  try {
    await defragment(dataDirectory)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(
      `Failed to defragment etcd data[${dataDirectory}] (${reason})`,
      commandExitCodes.failure,
      { cause: error },
    )
  }
  return 0
}

async function defragment(dataDirectory: string): Promise<void> {
  const paths = nodePathsOf({ dataDirectory, walDirectory: undefined })
  if (!existsSync(paths.databases)) {
    throw new Error(`open ${paths.databases}: no such file or directory`)
  }
  const logger = openLog({ level: 'info', format: 'console', outputs: ['stderr'] }, systemClock)
  const lock = await lockDirectory(dataDirectory)
  try {
    const folder = await DatabaseFolder.open(
      {
        fileSystem: nodeFileSystem,
        factory: new LmdbBackendFactory({ clock: systemClock }),
        logger: silentLogger,
      },
      paths.databases,
    )
    const backend = await folder.openLive()
    const before = backend.size()
    const startMs = systemClock.monotonicMs()
    logger.info('defragmenting', { path: paths.databases })
    try {
      await folder.defragment(backend)
      logger.info('finished defragmenting directory', {
        path: paths.databases,
        tookMs: Math.round(systemClock.monotonicMs() - startMs),
        before,
        after: backend.size(),
      })
    } finally {
      await backend.close()
    }
    await folder.lastRemoval
  } finally {
    await lock.release()
  }
}

function runVersion(words: readonly string[]): Promise<number> {
  const line = parseCommandLine(words, versionFlags)
  if (isHelpAsked(line, 'version', versionFlags)) return Promise.resolve(0)
  const version = nodeConfigDefaults.reportedVersion
  // The format that is asked for changes nothing, as in etcd.
  process.stdout.write(
    `etcdutl version: ${version}\nAPI version: ${version.replace(/\.\d+$/, '')}\n`,
  )
  return Promise.resolve(0)
}

function isHelpAsked(
  line: CommandLine,
  usage: string,
  flags: ReadonlyMap<string, CommandFlag>,
): boolean {
  if (!line.given.has('help')) return false
  process.stdout.write(`Usage:\n  quorated ${usage} [flags]\n\n${describeCommandFlags(flags)}`)
  return true
}
