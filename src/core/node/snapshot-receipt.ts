import { hexId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { SnapshotMessage } from '../raft/message.ts'
import type { DatabaseFolder } from './database-folder.ts'
import type { StateMachine } from './state-machine.ts'

/**
 * Stores the database that comes with a snapshot, unless what it says is known already. To be done before Raft sees the
 * message: it may accept only what is stored.
 * @throws StorageFault when the database is damaged, or of a later moment than its snapshot
 */
export async function storeSnapshot(
  parts: {
    readonly folder: DatabaseFolder
    readonly machine: Pick<StateMachine, 'appliedIndex'>
    readonly logger: Logger
  },
  message: SnapshotMessage,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { folder, machine, logger } = parts
  const { metadata } = message.snapshot
  if (metadata.index <= machine.appliedIndex) return
  await folder.receive({ ...metadata, appliedIndex: machine.appliedIndex }, chunks)
  logger.info('received database snapshot', { from: hexId(message.from), index: metadata.index })
}
