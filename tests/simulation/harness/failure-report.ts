/** A failed run as text: enough to replay it and to see what happened last. */
import { faultKinds, type RunPlan } from './fault-plan.ts'
import type { RunResult } from './simulate.ts'

/** The report of a failure; undefined when the run passed. */
export function failureReport(result: RunResult): string | undefined {
  const { violation, plan } = result
  if (violation === undefined) return undefined
  return [
    `seed ${plan.seed}: ${violation.checker}`,
    `at ${(violation.atUs / 1_000_000).toFixed(6)} s of virtual time: ${violation.message}`,
    '',
    describePlan(plan),
    '',
    `last ${result.lastLines.length} events:`,
    ...result.lastLines,
    '',
    `replay: SEED=${plan.seed} npm run test:simulation`,
  ].join('\n')
}

/** A plan in a few lines. */
export function describePlan(plan: RunPlan): string {
  const kinds = plan.kinds.map((kind) => `${kind} ${faultKinds[kind]}`).join(', ')
  return [
    `${plan.voterCount} voters, ${plan.learnerCount} learners, ${plan.workload.clientCount} clients, ${plan.durationUs / 1_000_000} s`,
    `faults: ${kinds}`,
    `settings: ${JSON.stringify(plan.settings)}`,
    `workload: ${JSON.stringify(plan.workload)}`,
    ...plan.actions.map(
      (action) => `  ${(action.atUs / 1_000_000).toFixed(3)} s ${JSON.stringify(action)}`,
    ),
  ].join('\n')
}
