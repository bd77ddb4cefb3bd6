/**
 * A cluster of real store nodes on simulated machines.
 *
 * A node is its code, its disk and the number of its life. Killing it ends the life: everything scheduled for it is
 * dropped, its disk goes through the rules of a crash, and a new life begins on what is left.
 */
import { createHash } from 'node:crypto'
import type { NodeId } from '../../../src/core/base/ids.ts'
import type { LogFields, Logger } from '../../../src/core/base/logger.ts'
import { namedRandom, type Random } from '../../../src/core/base/random.ts'
import { deriveMemberId } from '../../../src/core/membership/member-id.ts'
import { nodeConfigDefaults, type NodeConfig } from '../../../src/core/node/node-config.ts'
import { StoreError } from '../../../src/core/errors/store-error.ts'
import type { NodeEnvironment } from '../../../src/core/node/node-environment.ts'
import type { NodeStatus } from '../../../src/core/node/node-status.ts'
import type { PlantedBugs } from '../../../src/core/node/planted-bugs.ts'
import { StoreNode } from '../../../src/core/node/store-node.ts'
import type { Report } from '../checkers/checker.ts'
import { checkNoOrphans } from '../checkers/no-orphan.ts'
import { layOutWithLearners } from './learner-bootstrap.ts'
import type { RunPlan } from './fault-plan.ts'
import { Observation } from './observation.ts'
import { SimBackendFactory, SimBackendStore } from './sim-backend.ts'
import { simClock } from './sim-clock.ts'
import { SimDisk, type CrashRules, type SimDirectory } from './sim-disk.ts'
import {
  SimFileSystem,
  type DiskEffect,
  type DiskFaults,
  type DiskOutcome,
} from './sim-file-system.ts'
import { SimNetwork } from './sim-network.ts'
import { SimProcess, type SimScheduler } from './sim-scheduler.ts'

const dataDirectory = '/data'
const logDirectory = `${dataDirectory}/member/wal`

/** From one start to one end of a node's program. */
export interface Life {
  readonly process: SimProcess
  readonly fileSystem: SimFileSystem
  readonly backends: SimBackendFactory
  /** Set once the node has started. */
  node: StoreNode | undefined
  /** Called in the moment of death. */
  readonly deathListeners: Set<() => void>
  /** A failure was injected that may end the program by itself. */
  hasInjectedFailure: boolean
  isStopping: boolean
}

/** What a running node tells; undefined when it is down, starting or about to end. */
export function statusOf(node: SimNode): NodeStatus | undefined {
  try {
    return node.life?.node?.status()
  } catch (failure) {
    if (failure instanceof StoreError && failure.code === 'stopped') return undefined
    throw failure
  }
}

/** One simulated machine. */
export interface SimNode {
  readonly ordinal: number
  readonly name: string
  readonly id: NodeId
  readonly isVoter: boolean
  readonly disk: SimDisk
  readonly config: NodeConfig
  life: Life | undefined
  lifeCount: number
  crashesInRow: number
  /** Die at an effect, counted down from now. */
  armedDeath: { effectCount: number; readonly downUs: number } | undefined
  /** The next sync fails, and the program, which ends by itself, is started again after this. */
  armedSyncFailureDownUs: number | undefined
}

export interface ClusterParts {
  readonly plan: RunPlan
  readonly scheduler: SimScheduler
  readonly plantedBugs: PlantedBugs
  readonly report: Report
}

export class SimCluster {
  readonly nodes: readonly SimNode[]
  readonly network: SimNetwork
  readonly observation: Observation
  readonly plan: RunPlan
  readonly scheduler: SimScheduler
  /** Crashes and other injected faults, counted by name for the figures. */
  readonly injected = new Map<string, number>()
  /** While set, nodes that die stay down. */
  isRestarting = true
  private readonly parts: ClusterParts
  private readonly crashRandom: Random
  private lifeCount = 0

  constructor(parts: ClusterParts) {
    this.parts = parts
    this.plan = parts.plan
    this.scheduler = parts.scheduler
    this.nodes = makeNodes(parts.plan)
    this.crashRandom = namedRandom(parts.plan.seed, 'crash')
    this.network = new SimNetwork(parts.scheduler, namedRandom(parts.plan.seed, 'net'))
    this.network.rates = parts.plan
    this.observation = new Observation(this.nodes, parts.report, (observed) =>
      this.flushedIndexOf(observed.id),
    )
    this.network.observer = {
      sent: (message, sender) => {
        this.observation.sent(message, this.nodeOf(sender).id)
      },
      delivered: () => undefined,
    }
  }

  /** Starts every node at once. */
  async start(): Promise<void> {
    if (this.plan.learnerCount > 0) await layOutWithLearners(this)
    for (const node of this.nodes) this.startNode(node)
  }

  /** A life that only prepares a disk. */
  openFileSystem(node: SimNode, process: SimProcess): SimFileSystem {
    return new SimFileSystem({
      disk: node.disk,
      scheduler: this.scheduler,
      process,
      random: namedRandom(this.plan.seed, `disk/${process.name}`),
      faults: this.diskFaults(node),
      onDurableChange: (path) => {
        this.scheduler.trace.mix(node.ordinal)
        if (isPartOfLog(path)) this.observation.synced(node.id, node.disk, logDirectory)
      },
    })
  }

  /** A process of a node, numbered over the whole run. */
  newProcess(node: SimNode): SimProcess {
    node.lifeCount += 1
    this.lifeCount += 1
    return new SimProcess(`${node.name}.${node.lifeCount}`, this.lifeCount)
  }

  /** Begins a new life. */
  startNode(node: SimNode): void {
    if (node.life !== undefined) return
    const process = this.newProcess(node)
    const fileSystem = this.openFileSystem(node, process)
    const backends = new SimBackendFactory({
      fileSystem,
      scheduler: this.scheduler,
      process,
      random: namedRandom(this.plan.seed, `database/${process.name}`),
      flushDelayUsMax: this.plan.settings.flushDelayUsMax,
      observer: {
        committed: (changes) => {
          this.scheduler.trace.mix(changes.length)
          this.observation.batch(node.id, changes)
        },
        opened: (backend) => {
          this.observation.opened(node.id, backend)
        },
      },
    })
    const life: Life = {
      process,
      fileSystem,
      backends,
      node: undefined,
      deathListeners: new Set(),
      hasInjectedFailure: false,
      isStopping: false,
    }
    node.life = life
    this.observation.started(node.id, node.disk, logDirectory)
    this.scheduler.schedule(0, { kind: 'start', process }, () => {
      StoreNode.start(this.environmentOf(node, life), node.config).then(
        (storeNode) => {
          if (process.isAlive) this.noteStarted(node, life, storeNode)
        },
        (failure: unknown) => {
          if (process.isAlive) this.noteEnded(node, life, `start failed: ${textOf(failure)}`)
        },
      )
    })
  }

  /** Ends a life now. The disk keeps what the rules of the run let it keep; the node starts again later. */
  kill(node: SimNode, downUs: number): void {
    const { life } = node
    if (life === undefined) return
    this.count('crash')
    this.endLife(node, life)
    this.scheduleStart(node, downUs)
  }

  /** Stops a process where it is; everything due meanwhile is due at the end. */
  pause(node: SimNode, durationUs: number): void {
    const process = node.life?.process
    if (process === undefined || process.isPaused) return
    this.count('pause')
    process.isPaused = true
    this.scheduler.schedule(durationUs, { kind: 'resume' }, () => {
      if (process.isAlive && process.isPaused) this.resume(process)
    })
  }

  /** Lets a paused process go on; which of its queues it looks at first is up to chance. */
  resume(process: SimProcess): void {
    const ranks = new Map(
      ['timer', 'message', 'request'].map((kind) => [kind, this.crashRandom.below(3)]),
    )
    this.scheduler.resume(process, (event) => ranks.get(event.kind) ?? 1)
  }

  /** The running node that leads in the highest term. */
  findLeader(): SimNode | undefined {
    let leader: SimNode | undefined
    let leaderTerm = -1
    for (const node of this.nodes) {
      const status = statusOf(node)
      if (status?.role === 'leader' && status.raftTerm > leaderTerm) {
        leader = node
        leaderTerm = status.raftTerm
      }
    }
    return leader
  }

  /** Stops a node as a signal does and checks that nothing is left of it. */
  async stopNode(node: SimNode): Promise<void> {
    const { life } = node
    if (life?.node === undefined) return
    life.isStopping = true
    await life.node.stop()
    if (!life.process.isAlive) return
    const openViewCount = [...life.backends.openBackends].reduce(
      (sum, backend) => sum + backend.openViewCount,
      0,
    )
    checkNoOrphans(
      {
        node: node.name,
        timerCount: life.process.timers.size,
        fileHandlePaths: [...life.fileSystem.handles].map((handle) => handle.path),
        openDatabaseCount: life.backends.openBackends.size,
        openViewCount,
        watcherCount: life.node.watchHub.watcherCount,
      },
      this.parts.report,
    )
    life.process.isAlive = false
    node.life = undefined
  }

  /** Ends every process without effect, at the end of a run that failed. */
  abandonAll(): void {
    for (const node of this.nodes) {
      if (node.life === undefined) continue
      node.life.process.isAlive = false
      node.life.node?.kill()
    }
  }

  /** Counts an injected fault. */
  count(name: string): void {
    this.injected.set(name, (this.injected.get(name) ?? 0) + 1)
  }

  private noteStarted(node: SimNode, life: Life, storeNode: StoreNode): void {
    life.node = storeNode
    node.crashesInRow = 0
    storeNode.ready.catch(() => undefined)
    void storeNode.stopped.then((reason) => {
      if (!life.process.isAlive || life.isStopping) return
      this.noteEnded(node, life, reason.kind === 'fault' ? textOf(reason.error) : reason.kind)
    })
  }

  /** The program ended by itself: allowed only after an injected failure of the disk. */
  private noteEnded(node: SimNode, life: Life, why: string): void {
    if (!life.hasInjectedFailure) {
      this.parts.report(
        'P9 comes back and stays up without help',
        `${node.name} ended by itself: ${why}`,
      )
      return
    }
    this.count('ended by itself after a failed sync')
    this.endLife(node, life)
    this.scheduleStart(node, node.armedSyncFailureDownUs ?? 100_000)
    node.armedSyncFailureDownUs = undefined
  }

  private endLife(node: SimNode, life: Life): void {
    life.process.isAlive = false
    node.life = undefined
    this.network.abandon(node.id)
    life.node?.kill()
    node.disk.crash(this.crashRules(), this.crashRandom)
    for (const store of databasesOf(node.disk.root)) store.crash(this.crashRandom)
    for (const listener of [...life.deathListeners]) listener()
  }

  private scheduleStart(node: SimNode, downUs: number): void {
    if (!this.isRestarting) return
    const diesAgain =
      this.plan.recoveryCrashRate > 0 &&
      node.crashesInRow < 5 &&
      this.crashRandom.fraction() < this.plan.recoveryCrashRate
    node.crashesInRow = diesAgain ? node.crashesInRow + 1 : 0
    node.armedDeath = diesAgain
      ? { effectCount: 1 + this.crashRandom.below(40), downUs: 50_000 }
      : undefined
    this.scheduler.schedule(downUs, { kind: 'restart', describe: () => node.name }, () => {
      this.startNode(node)
    })
  }

  private crashRules(): CrashRules {
    const { kinds } = this.plan
    return {
      losesUnsynced: kinds.includes('D1') && this.crashRandom.below(4) !== 0,
      tearsLastWrite: kinds.includes('D2'),
      reordersUnsynced: kinds.includes('D3'),
      losesNames: kinds.includes('D4'),
    }
  }

  private diskFaults(node: SimNode): DiskFaults {
    return {
      decide: (process, effect) => this.decide(node, process, effect),
      kill: () => {
        this.kill(node, node.armedDeath?.downUs ?? 100_000)
      },
    }
  }

  private decide(node: SimNode, process: SimProcess, effect: DiskEffect): DiskOutcome {
    const { life } = node
    if (life?.process !== process) return 'normal'
    if (
      effect === 'sync' &&
      node.armedSyncFailureDownUs !== undefined &&
      !life.hasInjectedFailure
    ) {
      life.hasInjectedFailure = true
      this.count('failed sync')
      return 'fail'
    }
    const death = node.armedDeath
    if (death === undefined) return 'normal'
    death.effectCount -= 1
    if (death.effectCount > 0) return 'normal'
    const outcome = (['dieBefore', 'dieInTheMiddle', 'dieAfter'] as const)[
      this.crashRandom.below(3)
    ]!
    this.count(`crash at ${effect}`)
    return outcome
  }

  private environmentOf(node: SimNode, life: Life): NodeEnvironment {
    const { process } = life
    return {
      clock: simClock(this.scheduler, process),
      random: namedRandom(this.plan.seed, `node/${process.name}`),
      logger: this.loggerOf(process, {}),
      fileSystem: life.fileSystem,
      backendFactory: life.backends,
      createTransport: () => this.network.createTransport(node.id, process),
      askPeer: () => Promise.reject(new Error('no member can be asked (simulated)')),
      fetchCluster: () => Promise.reject(new Error('no member can be asked (simulated)')),
      sha1,
      lockDirectory: () => Promise.resolve({ release: () => Promise.resolve() }),
      plantedBugs: this.parts.plantedBugs,
    }
  }

  /** Log lines become part of the report of a failure. */
  private loggerOf(process: SimProcess, fixed: LogFields): Logger {
    const write =
      (level: string) =>
      (message: string, fields?: LogFields): void => {
        const atUs = this.scheduler.nowUs
        this.scheduler.trace.remember(() => ({
          atUs,
          process: process.name,
          text: `log ${level}: ${message} ${fieldsText({ ...fixed, ...fields })}`,
        }))
      }
    return {
      debug: () => undefined,
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: (fields) => this.loggerOf(process, { ...fixed, ...fields }),
    }
  }

  private nodeOf(process: SimProcess): SimNode {
    const node = this.nodes.find((candidate) => process.name.startsWith(`${candidate.name}.`))
    if (node === undefined) throw new Error(`no node runs ${process.name}`)
    return node
  }

  private flushedIndexOf(id: NodeId): number {
    const node = this.nodes.find((candidate) => candidate.id === id)
    const stores = node === undefined ? [] : databasesOf(node.disk.root)
    return stores.reduce((highest, store) => Math.max(highest, store.flushedIndex()), 0)
  }
}

function makeNodes(plan: RunPlan): readonly SimNode[] {
  const count = plan.voterCount + plan.learnerCount
  const urlOf = (ordinal: number): string => `http://node${ordinal}:2380`
  const names = Array.from({ length: count }, (_, ordinal) => `n${ordinal}`)
  const initialCluster = new Map(names.map((name, ordinal) => [name, [urlOf(ordinal)]]))
  return names.map((name, ordinal) => ({
    ordinal,
    name,
    id: deriveMemberId(sha1, { peerUrls: [urlOf(ordinal)], token: 'simulation' }),
    isVoter: ordinal < plan.voterCount,
    disk: new SimDisk(dataDirectory),
    config: {
      ...nodeConfigDefaults,
      ...plan.settings,
      name,
      dataDirectory,
      initialAdvertisePeerUrls: [urlOf(ordinal)],
      advertiseClientUrls: [`http://node${ordinal}:2379`],
      initialCluster,
      initialClusterToken: 'simulation',
    },
    life: undefined,
    lifeCount: 0,
    crashesInRow: 0,
    armedDeath: undefined,
    armedSyncFailureDownUs: undefined,
  }))
}

/** Every database on a disk, by its current name. */
function databasesOf(directory: SimDirectory): readonly SimBackendStore[] {
  const found: SimBackendStore[] =
    directory.attachment instanceof SimBackendStore ? [directory.attachment] : []
  for (const name of [...directory.entries.keys()].sort()) {
    const node = directory.entries.get(name)
    if (node?.kind === 'directory') found.push(...databasesOf(node))
  }
  return found
}

/** Whether the durable log may have changed with this path: a segment, its directory, or one above it. */
function isPartOfLog(path: string): boolean {
  return path.startsWith(logDirectory) || logDirectory.startsWith(path)
}

/** SHA-1, 20 bytes. */
export function sha1(bytes: Uint8Array): Uint8Array {
  return createHash('sha1').update(bytes).digest()
}

function textOf(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure)
  const cause = failure.cause === undefined ? '' : ` (${textOf(failure.cause)})`
  return `${failure.name}: ${failure.message}${cause}\n${failure.stack ?? ''}`
}

function fieldsText(fields: LogFields): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${value instanceof Error ? value.message : String(value)}`)
    .join(' ')
}
