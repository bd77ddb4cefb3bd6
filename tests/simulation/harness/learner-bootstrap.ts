/**
 * A new cluster that has learners from its first day.
 *
 * A static bootstrap knows voters only. For runs with learners the log of each node is laid out beforehand, as if the node
 * had been killed right after its first write: configuration entries of term 1, committed, not applied.
 */
import { requestId } from '../../../src/core/base/ids.ts'
import { encodeMembershipEntry } from '../../../src/core/apply/apply-membership.ts'
import { deriveClusterId } from '../../../src/core/membership/member-id.ts'
import { noNode } from '../../../src/core/base/ids.ts'
import type { Entry } from '../../../src/core/raft/message.ts'
import { WriteAheadLog } from '../../../src/core/wal/write-ahead-log.ts'
import { sha1, type SimCluster } from './sim-cluster.ts'

/** Writes the first log of every node. */
export async function layOutWithLearners(cluster: SimCluster): Promise<void> {
  const ids = cluster.nodes.map((node) => node.id)
  const clusterId = deriveClusterId(sha1, ids)
  // Voters first: a configuration has at least one at any moment.
  const members = [
    ...cluster.nodes.filter((node) => node.isVoter),
    ...cluster.nodes.filter((node) => !node.isVoter),
  ]
  const entries: readonly Entry[] = members.map((member, position) => ({
    index: position + 1,
    term: 1,
    kind: 'confChange',
    data: encodeMembershipEntry({
      id: requestId(0n),
      change: {
        kind: 'add',
        member: {
          id: member.id,
          name: '',
          peerUrls: member.config.initialAdvertisePeerUrls,
          clientUrls: [],
          isLearner: !member.isVoter,
        },
      },
    }),
  }))
  for (const node of cluster.nodes) {
    const process = cluster.newProcess(node)
    const fileSystem = cluster.openFileSystem(node, process)
    const write = async (): Promise<void> => {
      const directory = `${node.config.dataDirectory}/member/wal`
      // A node makes its directories before its log, whose creation makes all names durable.
      for (const name of ['snap', 'db'])
        await fileSystem.makeDirectory(`${node.config.dataDirectory}/member/${name}`)
      const log = await WriteAheadLog.create(
        fileSystem,
        directory,
        { nodeId: node.id, clusterId },
        { segmentSizeBytes: node.config.walSegmentSizeBytes },
      )
      await log.save({ term: 1, vote: noNode, commit: entries.length }, entries, { mustSync: true })
      await log.close()
    }
    const written = write()
    await cluster.scheduler.runUntil(cluster.scheduler.nowUs + 1_000_000)
    await written
    process.isAlive = false
  }
}
