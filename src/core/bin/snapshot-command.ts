/** `quorated snapshot status|restore FILE`: what etcd's offline tool does with a saved snapshot, with its flags and texts. */
import { nodeFileSystem } from '../io/node-file-system.ts'
import { systemClock } from '../io/system-clock.ts'
import { readSnapshotStatus, type SnapshotStatus } from '../snapshot/snapshot-status.ts'
import {
  commandExitCodes,
  CommandError,
  describeCommandFlags,
  parseCommandLine,
  type CommandFlag,
  type CommandLine,
} from './command-line.ts'
import {
  booleanFlag,
  commonFlags,
  printerOf,
  tableOf,
  textFlag,
  type Printers,
} from './command-output.ts'
import { parseInteger } from './flag-values.ts'
import { openLog } from './log-output.ts'
import { restoreSnapshot } from './snapshot-restore.ts'

const statusFlags = new Map(commonFlags)
const restoreFlags = new Map<string, CommandFlag>([
  ['bump-revision', textFlag('0', 'How much to increase the latest revision after restore')],
  ['data-dir', textFlag('', 'Path to the output data directory')],
  [
    'initial-advertise-peer-urls',
    textFlag(
      'http://localhost:2380',
      "List of this member's peer URLs to advertise to the rest of the cluster",
    ),
  ],
  [
    'initial-cluster',
    textFlag(
      'default=http://localhost:2380',
      'Initial cluster configuration for restore bootstrap',
    ),
  ],
  [
    'initial-cluster-token',
    textFlag('etcd-cluster', 'Initial cluster token for the etcd cluster during restore bootstrap'),
  ],
  ['initial-memory-map-size', textFlag('0', 'Accepted and of no effect: nothing is mapped')],
  [
    'mark-compacted',
    booleanFlag(
      'Mark the latest revision after restore as the point of scheduled compaction (required if --bump-revision > 0, disallowed otherwise)',
    ),
  ],
  ['name', textFlag('default', 'Human-readable name for this member')],
  [
    'skip-hash-check',
    booleanFlag('Ignore snapshot integrity hash value (required if copied from data directory)'),
  ],
  ['wal-dir', textFlag('', 'Path to the WAL directory (use --data-dir if none given)')],
  ...commonFlags,
])

const usageText = `Usage:
  quorated snapshot status <filename> [flags]
    Gets backend snapshot status of a given file
  quorated snapshot restore <filename> --data-dir {output dir} [options]
    Restores an etcd member snapshot to a data directory
`

/**
 * @param words  the command line behind `snapshot`
 * @returns the exit code of the process; everything there is to say was printed
 */
export async function runSnapshotCommand(words: readonly string[]): Promise<number> {
  const [command, ...rest] = words
  try {
    switch (command) {
      case 'status':
        return await runStatus(rest)
      case 'restore':
        return await runRestore(rest)
      case undefined:
      case 'help':
      case '-h':
      case '--help':
        process.stdout.write(usageText)
        return 0
      default:
        throw new CommandError(
          `unknown command "${command}" for "quorated snapshot"`,
          commandExitCodes.failure,
        )
    }
  } catch (error) {
    process.stderr.write(`Error: ${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof CommandError ? error.exitCode : commandExitCodes.failure
  }
}

async function runStatus(words: readonly string[]): Promise<number> {
  const line = parseCommandLine(words, statusFlags)
  if (isHelpAsked(line, statusFlags)) return 0
  const path = onlyWordOf(line, 'status')
  // Only the formats that exist are worth the reading.
  const print = printerOf(statusPrinters, line)
  const sizeBytes = await nodeFileSystem.findSize(path)
  if (sizeBytes === undefined) {
    throw new CommandError(`stat ${path}: no such file or directory`, commandExitCodes.failure)
  }
  const file = await nodeFileSystem.openForReading(path)
  try {
    process.stdout.write(print(await readSnapshotStatus(file, sizeBytes)))
  } finally {
    await file.close()
  }
  return 0
}

async function runRestore(words: readonly string[]): Promise<number> {
  const line = parseCommandLine(words, restoreFlags)
  if (isHelpAsked(line, restoreFlags)) return 0
  if (!line.given.has('data-dir')) {
    throw new CommandError('required flag(s) "data-dir" not set', commandExitCodes.failure)
  }
  const path = onlyWordOf(line, 'restore')
  const textOf = (name: string): string => line.texts.get(name) ?? ''
  const isSet = (name: string): boolean => /^(1|t|true)$/i.test(textOf(name))
  const bumpText = textOf('bump-revision')
  const revisionBump = parseInteger(bumpText)
  if (revisionBump === undefined || revisionBump < 0) {
    throw new CommandError(
      `invalid argument "${bumpText}" for "--bump-revision" flag: strconv.ParseUint: parsing "${bumpText}": invalid syntax`,
      commandExitCodes.failure,
    )
  }
  if (revisionBump > 0 !== isSet('mark-compacted')) {
    throw new CommandError(
      '--mark-compacted required if --revision-bump > 0',
      commandExitCodes.badArguments,
    )
  }
  const name = textOf('name')
  const logger = openLog({ level: 'info', format: 'console', outputs: ['stderr'] }, systemClock)
  await restoreSnapshot(logger, {
    path,
    name,
    dataDirectory: textOf('data-dir') === '' ? `${name}.etcd` : textOf('data-dir'),
    walDirectory: textOf('wal-dir'),
    initialCluster: textOf('initial-cluster'),
    initialClusterToken: textOf('initial-cluster-token'),
    peerUrls: textOf('initial-advertise-peer-urls').split(','),
    skipsHashCheck: isSet('skip-hash-check'),
    revisionBump,
  })
  return 0
}

function isHelpAsked(line: CommandLine, flags: ReadonlyMap<string, CommandFlag>): boolean {
  if (!line.given.has('help')) return false
  process.stdout.write(`${usageText}\n${describeCommandFlags(flags)}`)
  return true
}

function onlyWordOf(line: CommandLine, command: string): string {
  const [path] = line.words
  if (path === undefined || line.words.length > 1) {
    throw new CommandError(
      `snapshot ${command} requires exactly one argument`,
      commandExitCodes.badArguments,
    )
  }
  return path
}

const statusPrinters: Printers<SnapshotStatus> = {
  simple: (status) => `${columnsOf(status).join(', ')}\n`,
  json: jsonOf,
  fields: fieldsOf,
  table: (status) =>
    tableOf(['hash', 'revision', 'total keys', 'total size', 'version'], columnsOf(status)),
}

function columnsOf(status: SnapshotStatus): readonly string[] {
  return [
    status.hash.toString(16),
    String(status.revision),
    String(status.totalKeyCount),
    decimalSizeText(status.totalSizeBytes),
    status.version,
  ]
}

function jsonOf(status: SnapshotStatus): string {
  const { hash, revision, totalKeyCount: totalKey, totalSizeBytes: totalSize, version } = status
  return `${JSON.stringify({ hash, revision, totalKey, totalSize, version })}\n`
}

function fieldsOf(status: SnapshotStatus): string {
  return [
    `"Hash" : ${status.hash}`,
    `"Revision" : ${status.revision}`,
    `"Keys" : ${status.totalKeyCount}`,
    `"Size" : ${status.totalSizeBytes}`,
    `"Version" : ${JSON.stringify(status.version)}`,
    '',
  ].join('\n')
}

/** Powers of a thousand, with one decimal below ten: `49 kB`, `1.3 MB`. */
export function decimalSizeText(sizeBytes: number): string {
  if (sizeBytes < 10) return `${sizeBytes} B`
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  const power = Math.min(Math.floor(Math.log10(sizeBytes) / 3), units.length - 1)
  const value = Math.floor((sizeBytes / 1_000 ** power) * 10 + 0.5) / 10
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[power] ?? ''}`
}
