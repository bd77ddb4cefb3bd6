/** Features that can be switched: `--feature-gates` of etcd 3.6 and later, and the flags of 3.5 that they came from. */
import { parseBoolean } from './flag-values.ts'
import type { FlagTexts } from './tls-config.ts'

/** Every gate with what etcd has it at. */
const defaults = {
  CompactHashCheck: false,
  FastLeaseKeepAlive: true,
  InitialCorruptCheck: false,
  LeaseCheckpoint: false,
  LeaseCheckpointPersist: false,
  PriorityRequest: false,
  SetMemberLocalAddr: false,
  StopGRPCServiceOnDefrag: false,
  TxnModeWriteWithSharedBuffer: true,
} as const

export type FeatureGate = keyof typeof defaults

/** Whether each feature is on. */
export type FeatureGates = Readonly<Record<FeatureGate, boolean>>

/** Flags that say the same, by gate. */
const formerFlags: Partial<Record<FeatureGate, string>> = {
  CompactHashCheck: 'experimental-compact-hash-check-enabled',
  InitialCorruptCheck: 'experimental-initial-corrupt-check',
  LeaseCheckpoint: 'experimental-enable-lease-checkpoint',
  LeaseCheckpointPersist: 'experimental-enable-lease-checkpoint-persist',
  StopGRPCServiceOnDefrag: 'experimental-stop-grpc-service-on-defrag',
  TxnModeWriteWithSharedBuffer: 'experimental-txn-mode-write-with-shared-buffer',
}

/** All gates of a stage at once; a gate that is named goes before it. */
const stages = new Set(['AllAlpha', 'AllBeta'])
/** In etcd, gates that are on without being asked for. */
const beta: ReadonlySet<string> = new Set(['FastLeaseKeepAlive', 'TxnModeWriteWithSharedBuffer'])

/**
 * Reads the gates. What is wrong is added to `problems`.
 * @param given  names of flags that were set
 */
export function featureGatesOf(
  read: FlagTexts,
  given: ReadonlySet<string>,
  problems: string[],
): FeatureGates {
  const gates: Record<FeatureGate, boolean> = { ...defaults }
  const named = parseGates(read.text('feature-gates'), problems)
  for (const name of namesOf(gates)) {
    const stage = beta.has(name) ? 'AllBeta' : 'AllAlpha'
    gates[name] = named.get(name) ?? named.get(stage) ?? gates[name]
    const flag = formerFlags[name]
    if (flag === undefined || !given.has(flag)) continue
    if (named.has(name)) {
      problems.push(
        `cannot specify both flags: --${flag}=(true|false) and --feature-gates=${name}=(true|false) at the same time, please just use --feature-gates=${name}=(true|false)`,
      )
    }
    gates[name] = read.boolean(flag)
  }
  return gates
}

function parseGates(text: string, problems: string[]): ReadonlyMap<string, boolean> {
  const named = new Map<string, boolean>()
  for (const part of text.split(',').map((each) => each.trim())) {
    if (part === '') continue
    const at = part.indexOf('=')
    const name = at < 0 ? part : part.slice(0, at).trim()
    const value = at < 0 ? '' : part.slice(at + 1).trim()
    const isOn = parseBoolean(value)
    if (at < 0) problems.push(`missing bool value for feature gate ${name}`)
    else if (!(name in defaults) && !stages.has(name)) {
      problems.push(`unrecognized feature gate: ${name}`)
    } else if (isOn === undefined) problems.push(`invalid value of ${name}: ${value}`)
    else named.set(name, isOn)
  }
  return named
}

function namesOf(gates: Readonly<Record<FeatureGate, boolean>>): readonly FeatureGate[] {
  return Object.keys(gates) as FeatureGate[]
}
