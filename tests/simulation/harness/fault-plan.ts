/**
 * Everything that varies between runs, as data: the shape of the cluster, hostile settings, rates, and each fault with its
 * time. Drawn once from the seed; a run needs nothing else, so that a plan can be printed, kept and cut down.
 */
import { namedRandom, type Random } from '../../../src/core/base/random.ts'

/** Faults by their names in the catalogue. */
export type FaultKind =
  | 'N1'
  | 'N2'
  | 'N3'
  | 'N4'
  | 'N5'
  | 'N6'
  | 'N7'
  | 'D1'
  | 'D2'
  | 'D3'
  | 'D4'
  | 'D5'
  | 'X1'
  | 'X2'
  | 'X3'

/** All kinds with what they mean. */
export const faultKinds: Readonly<Record<FaultKind, string>> = {
  N1: 'message lost',
  N2: 'message duplicated',
  N3: 'messages reordered',
  N4: 'slow link',
  N5: 'split in two',
  N6: 'one-way partition',
  N7: 'non-transitive or ring partition',
  D1: 'unsynced writes lost at a crash',
  D2: 'last write torn',
  D3: 'later unsynced write kept, earlier lost',
  D4: 'created, renamed or removed name lost',
  D5: 'fsync fails, pages dropped',
  X1: 'crash at any effect, restart',
  X2: 'crash again during recovery',
  X3: 'pause, then all timers due at once',
}

/** One timed fault. Nodes are named by position; 'leader' is whoever leads then. */
export type FaultAction =
  | {
      readonly kind: 'cut'
      readonly atUs: number
      readonly durationUs: number
      readonly shape: PartitionShape
      readonly flapUs: number
    }
  | {
      readonly kind: 'slow'
      readonly atUs: number
      readonly durationUs: number
      readonly node: NodeChoice
      readonly factor: number
    }
  | {
      readonly kind: 'kill'
      readonly atUs: number
      readonly node: NodeChoice
      readonly downUs: number
      readonly effectCount: number
    }
  | { readonly kind: 'killAll'; readonly atUs: number; readonly downUs: number }
  | {
      readonly kind: 'failSync'
      readonly atUs: number
      readonly node: NodeChoice
      readonly downUs: number
    }
  | {
      readonly kind: 'pause'
      readonly atUs: number
      readonly node: NodeChoice
      readonly durationUs: number
    }

export type NodeChoice = number | 'leader'

/** Which directed links are cut. `side` lists positions of nodes. */
export type PartitionShape =
  | { readonly kind: 'split'; readonly side: readonly number[] }
  | { readonly kind: 'isolate'; readonly node: NodeChoice }
  | { readonly kind: 'oneWay'; readonly side: readonly number[] }
  | { readonly kind: 'nonTransitive'; readonly pair: readonly [number, number] }
  | { readonly kind: 'ring' }

/** Limits set so low that rare paths are taken all the time. */
export interface HostileSettings {
  readonly snapshotEntryCount: number
  readonly snapshotCatchUpEntryCount: number
  readonly walSegmentSizeBytes: number
  readonly appendSizeBytesMax: number
  readonly inflightMessagesMax: number
  readonly compactionBatchRevisionsMax: number
  readonly compactionPauseMs: number
  readonly electionMs: number
  readonly heartbeatMs: number
  readonly usesPreVote: boolean
  /** Longest time between visible and flushed in the database. */
  readonly flushDelayUsMax: number
}

export interface WorkloadPlan {
  readonly clientCount: number
  readonly keyCount: number
  readonly thinkUsMax: number
  readonly watchCount: number
  /** Batches a watch takes before it says that it is full. */
  readonly watchCapacity: number
  /** Mean time between compactions; 0: none. */
  readonly compactionUs: number
}

export interface RunPlan {
  readonly seed: number
  readonly voterCount: number
  readonly learnerCount: number
  readonly durationUs: number
  readonly kinds: readonly FaultKind[]
  readonly lossRate: number
  readonly duplicateRate: number
  readonly reorderRate: number
  /** Chance that a start dies again. */
  readonly recoveryCrashRate: number
  readonly actions: readonly FaultAction[]
  readonly settings: HostileSettings
  readonly workload: WorkloadPlan
  /** Whether the run ends by healing a core only, before it heals everything. */
  readonly checksCoreLiveness: boolean
}

/** Faults that the plans draw from unless told otherwise. */
export const drawnKinds: readonly FaultKind[] = [
  'N1',
  'N2',
  'N3',
  'N4',
  'N5',
  'N6',
  'N7',
  'D1',
  'D2',
  'D3',
  'D4',
  'D5',
  'X1',
  'X2',
  'X3',
]

/** What a caller may fix; the rest is drawn. */
export interface PlanOverrides {
  readonly voterCount?: number
  readonly learnerCount?: number
  readonly kinds?: readonly FaultKind[]
}

/** Draws a plan. */
export function drawPlan(seed: number, overrides: PlanOverrides = {}): RunPlan {
  const random = namedRandom(seed, 'config')
  const voterCount =
    overrides.voterCount ?? pick(random, [1, 2, 3, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 7])
  const learnerCount = overrides.learnerCount ?? (voterCount <= 5 && random.below(8) === 0 ? 1 : 0)
  const nodeCount = voterCount + learnerCount
  const kinds = overrides.kinds ?? drawKinds(random)
  const workload = drawWorkload(random)
  // Busy clients work for a shorter time: a run is a second of real time, whatever was drawn.
  const operationUs = (workload.thinkUsMax / 2 + 10_000) / workload.clientCount
  const durationUs = Math.round(Math.min(3_000_000 + random.below(12_000_000), 1_000 * operationUs))
  const has = (kind: FaultKind): boolean => kinds.includes(kind)
  return {
    seed,
    voterCount,
    learnerCount,
    durationUs,
    kinds,
    lossRate: has('N1') ? random.fraction() * 0.2 : 0,
    duplicateRate: has('N2') ? random.fraction() * 0.05 : 0,
    reorderRate: has('N3') ? random.fraction() * 0.5 : 0,
    recoveryCrashRate: has('X2') ? 0.3 : 0,
    actions: drawActions(random, { kinds, nodeCount, durationUs }),
    settings: drawSettings(random),
    workload,
    checksCoreLiveness: voterCount >= 3 && random.below(3) === 0,
  }
}

function drawKinds(random: Random): readonly FaultKind[] {
  const count = 1 + random.below(6)
  const rest = [...drawnKinds]
  const kinds: FaultKind[] = []
  while (kinds.length < count) kinds.push(...rest.splice(random.below(rest.length), 1))
  // What a crash may take shows only at a crash.
  const needsCrash = kinds.some(
    (kind) => kind === 'D1' || kind === 'D2' || kind === 'D3' || kind === 'D4' || kind === 'X2',
  )
  if (needsCrash && !kinds.includes('X1')) kinds.push('X1')
  if ((kinds.includes('D2') || kinds.includes('D3')) && !kinds.includes('D1')) kinds.push('D1')
  return kinds.sort()
}

function drawSettings(random: Random): HostileSettings {
  const snapshotEntryCount = pick(random, [5, 10, 20, 50, 200])
  const electionMs = pick(random, [300, 500, 1_000])
  return {
    snapshotEntryCount,
    snapshotCatchUpEntryCount: pick(random, [1, 5, 20, 100]),
    walSegmentSizeBytes: pick(random, [4_096, 4_096, 16_384, 262_144]),
    appendSizeBytesMax: pick(random, [1, 200, 1_024, 65_536]),
    inflightMessagesMax: pick(random, [1, 2, 16, 512]),
    compactionBatchRevisionsMax: pick(random, [1, 3, 100]),
    compactionPauseMs: pick(random, [1, 10]),
    electionMs,
    heartbeatMs: electionMs === 300 ? 50 : 100,
    usesPreVote: random.below(4) !== 0,
    flushDelayUsMax: pick(random, [2_000, 100_000, 1_000_000]),
  }
}

function drawWorkload(random: Random): WorkloadPlan {
  return {
    clientCount: 1 + random.below(6),
    keyCount: pick(random, [2, 10, 10, 100]),
    thinkUsMax: pick(random, [20_000, 60_000, 200_000]),
    watchCount: random.below(4),
    watchCapacity: pick(random, [1, 3, 100]),
    compactionUs: pick(random, [0, 150_000, 1_000_000]),
  }
}

interface ActionScope {
  readonly kinds: readonly FaultKind[]
  readonly nodeCount: number
  readonly durationUs: number
}

function drawActions(random: Random, scope: ActionScope): readonly FaultAction[] {
  const actions: FaultAction[] = []
  for (const kind of scope.kinds) {
    const count = 1 + random.below(kind.startsWith('N') ? 8 : 5)
    for (let number = 0; number < count; number++) {
      const action = drawAction(kind, random, scope)
      if (action !== undefined) actions.push(action)
    }
  }
  return actions.sort((left, right) => left.atUs - right.atUs)
}

function drawAction(
  kind: FaultKind,
  random: Random,
  { nodeCount, durationUs }: ActionScope,
): FaultAction | undefined {
  const atUs = random.below(durationUs)
  const node: NodeChoice = random.below(3) !== 0 ? 'leader' : random.below(nodeCount)
  const spanUs = 100_000 + random.below(random.below(4) === 0 ? 10_000_000 : 4_000_000)
  const flapUs = random.below(4) === 0 ? 50_000 + random.below(450_000) : 0
  const cut = (shape: PartitionShape): FaultAction => ({
    kind: 'cut',
    atUs,
    durationUs: spanUs,
    shape,
    flapUs,
  })
  switch (kind) {
    case 'N4':
      return { kind: 'slow', atUs, durationUs: spanUs, node, factor: 5 + random.below(100) }
    case 'N5':
      return cut(
        random.below(2) === 0
          ? { kind: 'isolate', node }
          : { kind: 'split', side: drawSide(random, nodeCount) },
      )
    case 'N6':
      return cut({ kind: 'oneWay', side: drawSide(random, nodeCount) })
    case 'N7':
      return cut(
        random.below(3) === 0 && nodeCount > 3
          ? { kind: 'ring' }
          : { kind: 'nonTransitive', pair: [random.below(nodeCount), random.below(nodeCount)] },
      )
    case 'D5':
      return { kind: 'failSync', atUs, node, downUs: random.below(2_000_000) }
    case 'X1':
      return random.below(6) === 0
        ? { kind: 'killAll', atUs, downUs: random.below(1_000_000) }
        : {
            kind: 'kill',
            atUs,
            node,
            downUs: random.below(3_000_000),
            effectCount: random.below(12),
          }
    case 'X3':
      return { kind: 'pause', atUs, node, durationUs: spanUs }
    case 'N1':
    case 'N2':
    case 'N3':
    case 'D1':
    case 'D2':
    case 'D3':
    case 'D4':
    case 'X2':
      // These are rates and rules of the whole run.
      return undefined
  }
}

function drawSide(random: Random, nodeCount: number): readonly number[] {
  const side: number[] = []
  for (let node = 0; node < nodeCount; node++) if (random.below(2) === 0) side.push(node)
  return side.length === 0 ? [random.below(nodeCount)] : side
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.below(choices.length)]!
}
