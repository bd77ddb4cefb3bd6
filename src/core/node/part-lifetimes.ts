/** What a node does once with its parts: makes itself known at its start, and closes them at its end. */
import { failpointPause } from '../base/failpoints.ts'
import { hexId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { NodeConfig } from './node-config.ts'
import type { NodeParts } from './node-parts.ts'

/**
 * Tells the cluster this member's name and client URLs, as often as it takes, and waits until the cluster has a version.
 * @throws StoreError `stopped`
 */
export async function publishMember(parts: NodeParts, config: NodeConfig): Promise<void> {
  await failpointPause('beforePublishing')
  const { proposals, logger, memberId } = parts
  const { name, advertiseClientUrls } = config
  const request = {
    memberID: memberId,
    memberAttributes: { name, clientUrls: [...advertiseClientUrls] },
  }
  // The node is still being built; the queue is there, the driver is not.
  await Promise.resolve()
  for (;;) {
    try {
      await proposals.submit({ kind: 'memberAttributes', request })
      logger.info('published local member to cluster through raft', {
        member: hexId(memberId),
        name,
      })
      await parts.versions.decided()
      return
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === 'stopped') throw error
      logger.warn('publishing this member took too long; trying again', { reason: error.message })
    }
  }
}

/**
 * Defragments a database with as much unused room as the settings say, before it is served.
 * @throws Error when the copy cannot be made
 */
export async function defragmentAtStart(
  { machine, logger }: NodeParts,
  { startDefragmentBytesMin }: NodeConfig,
): Promise<void> {
  if (startDefragmentBytesMin === 0) return
  const { allocatedSizeBytes, usedSizeBytes } = machine.state.backend.size()
  if (allocatedSizeBytes - usedSizeBytes < startDefragmentBytesMin) {
    logger.info('Skipping defragmentation', {
      'current-db-size-bytes': allocatedSizeBytes,
      'current-db-size-in-use-bytes': usedSizeBytes,
      'bootstrap-defrag-threshold-bytes': startDefragmentBytesMin,
    })
    return
  }
  await machine.defragment()
}

/** Closes in the order of dependence. One part that cannot be closed does not keep the others open. */
export async function closeParts(parts: NodeParts): Promise<void> {
  const { transport, machine, wal, sender, snapshots, databaseSnapshots, logger } = parts
  sender.halt()
  parts.leaseExpiry.demote()
  stopTimers(parts)
  // A snapshot that waits for the database waits no longer than it must; a failure shows when the database is closed.
  machine.state.backend.flush().catch(() => undefined)
  await snapshots.finish()
  await databaseSnapshots.finish()
  const steps: readonly [string, () => Promise<void>][] = [
    ['transport', () => transport.stop()],
    ['database', () => machine.close()],
    ['log', () => wal.close()],
  ]
  for (const [part, close] of steps) {
    try {
      await close()
    } catch (error) {
      logger.error('a part of the node could not be closed', { part, reason: String(error) })
    }
  }
}

/** What the node does of itself from time to time. */
function stopTimers({ autoCompaction, versions, corruption }: NodeParts): void {
  autoCompaction.stop()
  versions.stop()
  corruption.stop()
}

/** Ends everything at once, as if the power had failed. No effect follows. */
export function haltParts(parts: NodeParts): void {
  const { loop, machine, firstElection, snapshots, databaseSnapshots, leaseExpiry } = parts
  loop.halt()
  leaseExpiry.demote()
  stopTimers(parts)
  snapshots.halt()
  databaseSnapshots.halt()
  firstElection.stop()
  machine.halt()
}
