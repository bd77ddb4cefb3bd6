/**
 * Liveness: heal a majority of the voters and the links among them, leave everybody else as broken as they are, and demand
 * a leader and a committed write within ten election time-outs. Healing everything would hide the bugs in which one sick
 * member keeps the healthy ones from working.
 *
 * Without pre-votes the demand is three times as patient: each vote of a higher term starts everybody's time-out anew, also
 * that of the only member of the core whose log is long enough to win, so that member is first in one round of three, or
 * fewer where the sick ones campaign as well. That is how Raft is; ten rounds in a row are lost once in some thousand runs.
 */
import { namedRandom } from '../../../src/core/base/random.ts'
import type { Report } from '../checkers/checker.ts'
import type { SimCluster, SimNode } from './sim-cluster.ts'
import type { SimClient } from './workload.ts'

/** Time to start again, before the clock of the demand runs, in virtual microseconds. */
const startUsMax = 5_000_000

export interface LivenessTools {
  /** Lets virtual time pass. */
  readonly advance: (durationUs: number) => Promise<void>
  readonly report: Report
}

/** Picks a core, heals it, and reports when it does not serve a write in time. */
export async function checkCoreLiveness(
  cluster: SimCluster,
  harness: SimClient,
  tools: LivenessTools,
): Promise<void> {
  const { scheduler, plan } = cluster
  const core = chooseCore(cluster)
  cluster.network.healAmong(core.map((node) => node.id))
  for (const node of core) {
    node.armedDeath = undefined
    node.armedSyncFailureDownUs = undefined
    node.crashesInRow = 5
    if (node.life?.process.isPaused === true) cluster.resume(node.life.process)
    cluster.startNode(node)
  }
  const startEndUs = scheduler.nowUs + startUsMax
  while (core.some((node) => node.life?.node === undefined)) {
    if (scheduler.nowUs > startEndUs) {
      tools.report(
        'P9 comes back and stays up without help',
        'a member of the healed core does not finish its start',
      )
      return
    }
    await tools.advance(50_000)
  }
  const startUs = scheduler.nowUs
  const patience = plan.settings.usesPreVote ? 10 : 30
  const limitUs = patience * plan.settings.electionMs * 1_000
  const state = { isDone: false }
  void writeToCore(cluster, harness, core, state)
  while (!state.isDone) {
    if (scheduler.nowUs - startUs > limitUs) {
      tools.report(
        'P12 a healed core serves writes',
        `${core.map((node) => node.name).join(', ')} have not committed a write for ${limitUs / 1_000_000} s`,
      )
      state.isDone = true
      return
    }
    await tools.advance(50_000)
  }
}

async function writeToCore(
  cluster: SimCluster,
  harness: SimClient,
  core: readonly SimNode[],
  state: { isDone: boolean },
): Promise<void> {
  for (let attempt = 0; !state.isDone; attempt++) {
    const { request, marker } = harness.drawPut()
    // Several at once: a client that waits out a slow time-out would hide how soon the core recovered.
    void harness.call(request, { marker, node: core[attempt % core.length]! }).then((record) => {
      if (record.outcome.kind === 'ok') state.isDone = true
    })
    await new Promise<void>((resolve) => {
      cluster.scheduler.schedule(200_000, { kind: 'liveness probe' }, resolve)
    })
  }
}

function chooseCore(cluster: SimCluster): readonly SimNode[] {
  const random = namedRandom(cluster.plan.seed, 'liveness')
  const voters = cluster.nodes.filter((node) => node.isVoter)
  const majority = Math.floor(voters.length / 2) + 1
  const core: SimNode[] = []
  while (core.length < majority) core.push(...voters.splice(random.below(voters.length), 1))
  return core
}
