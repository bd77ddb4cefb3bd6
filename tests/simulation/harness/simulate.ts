/**
 * One simulated run from its plan to its verdict.
 *
 * Work under faults; heal, a core first in some runs; wait until everything has caught up; compare the members; stop them;
 * judge what the clients saw. The first violation ends the run.
 */
import { setVerifying } from '../../../src/core/base/assert.ts'
import { noPlantedBugs, type PlantedBugs } from '../../../src/core/node/planted-bugs.ts'
import { Answered } from '../checkers/answered.ts'
import type { Report } from '../checkers/checker.ts'
import { judgeOperations, replayLog } from '../checkers/linearizability.ts'
import { checkStateHashes, type StateHash } from '../checkers/state-hash.ts'
import { judgeWatches } from '../checkers/watch-order.ts'
import type { RunPlan } from './fault-plan.ts'
import { scheduleFaults } from './fault-runner.ts'
import { forbidGlobals } from './forbidden-globals.ts'
import type { History } from './history.ts'
import { checkCoreLiveness } from './core-liveness.ts'
import { SimCluster, statusOf } from './sim-cluster.ts'
import { SimScheduler } from './sim-scheduler.ts'
import { SimWatch } from './sim-watch.ts'
import { harnessClient, runCompactor, SimClient } from './workload.ts'

export interface Violation {
  readonly checker: string
  readonly message: string
  readonly atUs: number
}

export interface RunResult {
  readonly plan: RunPlan
  readonly violation: Violation | undefined
  readonly traceHash: string
  readonly lastLines: readonly string[]
  readonly virtualUs: number
  readonly eventCount: number
  readonly operationCount: number
  readonly acknowledgedCount: number
  readonly watchEventCount: number
  readonly committedCount: number
  /** How often each fault really happened. */
  readonly injected: ReadonlyMap<string, number>
}

/** Ends a run from within, after the first violation. */
class RunEnded extends Error {}

/** Time that a healed cluster has to catch up, in virtual microseconds. */
const settleUsMax = 40_000_000

/** Runs one plan. Never rejects for what the product does: that becomes the violation. */
export async function simulate(
  plan: RunPlan,
  plantedBugs: PlantedBugs = noPlantedBugs,
): Promise<RunResult> {
  const scheduler = new SimScheduler()
  let violation: Violation | undefined
  const report: Report = (checker, message) => {
    violation ??= { checker, message, atUs: scheduler.nowUs }
    scheduler.isStopping = true
  }
  const history: History = { operations: [], watches: [] }
  const cluster = new SimCluster({ plan, scheduler, plantedBugs, report })
  const onRejection = (reason: unknown): void => {
    report(
      'no unhandled rejection',
      reason instanceof Error ? `${reason.message}\n${reason.stack ?? ''}` : String(reason),
    )
  }
  const forbidden = forbidGlobals()
  process.on('unhandledRejection', onRejection)
  setVerifying(true)
  try {
    await new Run(cluster, history, report).run(() => violation !== undefined)
  } catch (failure) {
    if (!(failure instanceof RunEnded)) {
      report(
        'no exception in an event',
        failure instanceof Error ? `${failure.message}\n${failure.stack ?? ''}` : String(failure),
      )
    }
  } finally {
    setVerifying(false)
    cluster.abandonAll()
    process.off('unhandledRejection', onRejection)
    forbidden.restore()
  }
  if (forbidden.uses.length > 0) report('no real clock or chance', forbidden.uses.join(', '))
  return {
    plan,
    violation,
    traceHash: scheduler.trace.hash(),
    lastLines: scheduler.trace.lastLines(),
    virtualUs: scheduler.nowUs,
    eventCount: scheduler.eventCount,
    operationCount: history.operations.length,
    acknowledgedCount: history.operations.filter((operation) => operation.outcome.kind === 'ok')
      .length,
    watchEventCount: history.watches.reduce(
      (sum, segment) =>
        sum + segment.batches.reduce((count, batch) => count + batch.events.length, 0),
      0,
    ),
    committedCount: cluster.observation.committed.lastIndex,
    injected: cluster.injected,
  }
}

class Run {
  private readonly cluster: SimCluster
  private readonly scheduler: SimScheduler
  private readonly history: History
  private readonly report: Report
  private readonly answered: Answered
  private readonly watches: SimWatch[] = []
  private isViolated: () => boolean = () => false
  private isWorkOver = false

  constructor(cluster: SimCluster, history: History, report: Report) {
    this.cluster = cluster
    this.scheduler = cluster.scheduler
    this.history = history
    this.report = report
    this.answered = new Answered(
      cluster.nodes[0]!.config.requestTimeoutMs * 1_000,
      (name) => cluster.nodes.find((node) => node.name === name)?.life?.process.isPaused === true,
      report,
    )
  }

  async run(isViolated: () => boolean): Promise<void> {
    const { cluster, history } = this
    const { plan } = cluster
    this.isViolated = isViolated
    await cluster.start()
    this.endIfViolated()
    const workStartUs = this.scheduler.nowUs
    scheduleFaults(cluster, () => this.isWorkOver)
    const context = {
      cluster,
      answered: this.answered,
      report: this.report,
      operations: history.operations,
    }
    const clients = Array.from(
      { length: plan.workload.clientCount },
      (_, number) => new SimClient(context, number),
    )
    const isOver = (): boolean => this.isWorkOver || isViolated()
    const work = Promise.all([
      ...clients.map((client) => client.run(isOver)),
      runCompactor(context, isOver),
    ])
    for (let number = 0; number < plan.workload.watchCount; number++) {
      const watch = new SimWatch(cluster, history.watches, number)
      this.watches.push(watch)
      watch.open()
    }
    await this.advanceTo(workStartUs + plan.durationUs)
    this.isWorkOver = true
    const harness = new SimClient(context, harnessClient)
    const advance = (durationUs: number): Promise<void> =>
      this.advanceTo(this.scheduler.nowUs + durationUs)
    if (plan.checksCoreLiveness)
      await checkCoreLiveness(cluster, harness, { advance, report: this.report })
    this.healEverything()
    await this.settle(harness)
    await this.compareMembers()
    for (const watch of this.watches) watch.close()
    await this.stopEverything()
    await this.advanceTo(this.scheduler.nowUs + 1)
    this.endIfViolated()
    void work
    this.judge()
  }

  private async advanceTo(targetUs: number): Promise<void> {
    // In steps, so that requests that are never answered are noticed.
    while (this.scheduler.nowUs < targetUs) {
      await this.scheduler.runUntil(Math.min(targetUs, this.scheduler.nowUs + 500_000))
      this.endIfViolated()
      this.answered.check(this.scheduler.nowUs)
      this.endIfViolated()
    }
  }

  private endIfViolated(): void {
    if (this.isViolated()) throw new RunEnded('violated')
  }

  private healEverything(): void {
    const { cluster } = this
    cluster.network.heal()
    for (const node of cluster.nodes) {
      node.armedDeath = undefined
      node.armedSyncFailureDownUs = undefined
      if (node.life?.process.isPaused === true) this.cluster.resume(node.life.process)
      cluster.startNode(node)
    }
    cluster.isRestarting = true
  }

  /** Waits until a write goes through and every member has applied everything, and every watch has seen it. */
  private async settle(harness: SimClient): Promise<void> {
    const endUs = this.scheduler.nowUs + settleUsMax
    const { request, marker } = harness.drawPut()
    await this.whileAdvancing(this.writeUntilDone(harness, { request, marker }, endUs), endUs)
    while (!this.isSettled()) {
      if (this.scheduler.nowUs > endUs) {
        this.report('P12 a healed cluster catches up', this.describeMembers())
        this.endIfViolated()
      }
      await this.advanceTo(this.scheduler.nowUs + 100_000)
    }
  }

  private async writeUntilDone(
    harness: SimClient,
    put: ReturnType<SimClient['drawPut']>,
    endUs: number,
  ): Promise<void> {
    let current = put
    for (;;) {
      const record = await harness.call(current.request, { marker: current.marker })
      if (record.outcome.kind === 'ok') return
      if (this.scheduler.nowUs > endUs) {
        this.report(
          'P12 a healed cluster serves writes',
          `no write was answered; the last outcome is ${record.outcome.code}; ${this.describeMembers()}`,
        )
        return
      }
      current = harness.drawPut()
      await new Promise<void>((resolve) => {
        this.scheduler.schedule(50_000, { kind: 'retry' }, resolve)
      })
    }
  }

  /** Lets virtual time pass until a promise that depends on it is settled. */
  private async whileAdvancing<T>(promise: Promise<T>, endUs: number): Promise<T> {
    const state: { isDone: boolean } = { isDone: false }
    const settled = promise.finally(() => {
      state.isDone = true
    })
    settled.catch(() => undefined)
    while (!state.isDone) {
      if (this.scheduler.nowUs > endUs + 60_000_000) {
        this.report('I38 answered', 'the end of the run hangs')
        this.endIfViolated()
      }
      await this.advanceTo(this.scheduler.nowUs + 50_000)
    }
    return settled
  }

  private isSettled(): boolean {
    const { nodes, observation } = this.cluster
    const statuses = nodes.map(statusOf)
    const highest = observation.committed.lastIndex
    const revision = Math.max(...statuses.map((status) => status?.revision ?? 0))
    return (
      statuses.every(
        (status) =>
          status !== undefined && status.raftAppliedIndex >= highest && status.leader !== 0n,
      ) && this.watches.every((watch) => watch.isCaughtUp(revision))
    )
  }

  private describeMembers(): string {
    const { nodes, observation } = this.cluster
    const lines = nodes.map((node) => {
      const status = statusOf(node)
      if (status === undefined)
        return `${node.name} ${node.life === undefined ? 'is down' : 'has not finished its start'}`
      return `${node.name} ${status.role} term ${status.raftTerm} applied ${status.raftAppliedIndex} commit ${status.raftIndex} revision ${status.revision}`
    })
    const late = this.watches.filter((watch) => !watch.isCaughtUp(0)).length
    return `${lines.join('; ')}; known committed ${observation.committed.lastIndex}; ${late} watches without a node`
  }

  private async compareMembers(): Promise<void> {
    const { nodes } = this.cluster
    const endUs = this.scheduler.nowUs + settleUsMax
    const hashes: StateHash[] = []
    const ask = Promise.all(
      nodes.map(async (node) => {
        const storeNode = node.life?.node
        if (storeNode === undefined) return
        const { hash, compactedRevision, hashRevision } = await storeNode.hashKv(0)
        hashes.push({ node: node.name, hash, compactedRevision, revision: hashRevision })
      }),
    )
    await this.whileAdvancing(ask, endUs)
    if (hashes.length !== nodes.length) this.report('I15 hash agreement', 'a member gave no hash')
    checkStateHashes(hashes, this.report)
    this.endIfViolated()
  }

  private async stopEverything(): Promise<void> {
    const { nodes } = this.cluster
    this.cluster.isRestarting = false
    for (const node of nodes) {
      await this.whileAdvancing(this.cluster.stopNode(node), this.scheduler.nowUs + settleUsMax)
      this.endIfViolated()
    }
  }

  private judge(): void {
    const { observation } = this.cluster
    const replayed = replayLog(observation.committed.committed.map(({ entry }) => entry))
    for (const [index, revision] of observation.applied.revisionAt) {
      const expected = replayed.revisions[index - 1]
      if (expected !== undefined && expected !== revision) {
        this.report(
          'I9 applied once',
          `members have revision ${revision} at index ${index}; the model has ${expected}`,
        )
      }
    }
    judgeOperations(this.history.operations, replayed, this.report)
    judgeWatches(this.history.watches, replayed.model, this.report)
  }
}
