/** Carries out the timed faults of a plan. */
import type { FaultAction, NodeChoice, PartitionShape } from './fault-plan.ts'
import type { SimCluster, SimNode } from './sim-cluster.ts'

/** A directed link by the positions of its nodes. */
type Link = readonly [source: number, target: number]

/** Schedules every action of the cluster's plan. Nothing happens any more once `isOver` says so. */
export function scheduleFaults(cluster: SimCluster, isOver: () => boolean): void {
  for (const action of cluster.plan.actions) {
    cluster.scheduler.schedule(
      action.atUs,
      { kind: `fault ${action.kind}`, describe: () => JSON.stringify(action) },
      () => {
        if (!isOver()) carryOut(cluster, action, isOver)
      },
    )
  }
}

function carryOut(cluster: SimCluster, action: FaultAction, isOver: () => boolean): void {
  switch (action.kind) {
    case 'cut':
      cut(cluster, action, isOver)
      return
    case 'slow':
      slow(cluster, action)
      return
    case 'kill': {
      const node = chooseNode(cluster, action.node)
      // Right now, between two effects, or at one of the next effects of the disk.
      if (action.effectCount === 0) cluster.kill(node, action.downUs)
      else node.armedDeath = { effectCount: action.effectCount, downUs: action.downUs }
      return
    }
    case 'killAll':
      for (const node of cluster.nodes) cluster.kill(node, action.downUs)
      return
    case 'failSync':
      chooseNode(cluster, action.node).armedSyncFailureDownUs = action.downUs
      return
    case 'pause':
      cluster.pause(chooseNode(cluster, action.node), action.durationUs)
  }
}

/** The node meant by a choice; without a leader, the first one. */
function chooseNode(cluster: SimCluster, choice: NodeChoice): SimNode {
  const first = cluster.nodes[0]!
  return choice === 'leader'
    ? (cluster.findLeader() ?? first)
    : (cluster.nodes[choice % cluster.nodes.length] ?? first)
}

function cut(
  cluster: SimCluster,
  action: FaultAction & { kind: 'cut' },
  isOver: () => boolean,
): void {
  const { nodes, network, scheduler } = cluster
  const links = linksOf(cluster, action.shape)
  cluster.count(`cut ${action.shape.kind}`)
  const endUs = scheduler.nowUs + action.durationUs
  const change = (isCut: boolean): void => {
    for (const [source, target] of links) {
      if (isCut) network.cut(nodes[source]!.id, nodes[target]!.id)
      else network.mend(nodes[source]!.id, nodes[target]!.id)
    }
  }
  const mend = (): void => {
    change(false)
    const isFlapping = action.flapUs > 0 && scheduler.nowUs + action.flapUs < endUs && !isOver()
    if (isFlapping) scheduler.schedule(action.flapUs, { kind: 'link flaps' }, begin)
  }
  const begin = (): void => {
    if (isOver()) return
    change(true)
    const lastsUs = action.flapUs > 0 ? action.flapUs : action.durationUs
    scheduler.schedule(lastsUs, { kind: 'link mends' }, mend)
  }
  begin()
}

function linksOf(cluster: SimCluster, shape: PartitionShape): readonly Link[] {
  const count = cluster.nodes.length
  const all: Link[] = []
  for (let source = 0; source < count; source++) {
    for (let target = 0; target < count; target++) if (source !== target) all.push([source, target])
  }
  switch (shape.kind) {
    case 'split':
      return all.filter(
        ([source, target]) => shape.side.includes(source) !== shape.side.includes(target),
      )
    case 'isolate': {
      const { ordinal } = chooseNode(cluster, shape.node)
      return all.filter(([source, target]) => source === ordinal || target === ordinal)
    }
    case 'oneWay':
      return all.filter(
        ([source, target]) => shape.side.includes(source) && !shape.side.includes(target),
      )
    case 'nonTransitive':
      return all.filter(
        ([source, target]) => shape.pair.includes(source) && shape.pair.includes(target),
      )
    case 'ring':
      return all.filter(([source, target]) => {
        const distance = Math.abs(source - target)
        return distance !== 1 && distance !== count - 1
      })
  }
}

function slow(cluster: SimCluster, action: FaultAction & { kind: 'slow' }): void {
  const { nodes, network, scheduler } = cluster
  const node = chooseNode(cluster, action.node)
  cluster.count('slow link')
  const change = (factor: number): void => {
    for (const other of nodes) {
      network.setSlowness(node.id, other.id, factor)
      network.setSlowness(other.id, node.id, factor)
    }
  }
  change(action.factor)
  scheduler.schedule(action.durationUs, { kind: 'link is fast again' }, () => {
    change(1)
  })
}
