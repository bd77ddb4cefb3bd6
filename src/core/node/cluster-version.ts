/**
 * Keeps the version of the cluster what its members can do.
 *
 * The problem: members of different versions may run side by side while they are exchanged one by one, and none may write
 * what an older one does not understand. The plain idea: the leader asks every member for its version, and lets the log say
 * the lowest of them; upwards as soon as all are there, downwards by one minor version and only when somebody asked for it.
 * Example: 3.5, 3.7 and 3.7 make a cluster of 3.5; when the first one is exchanged for a 3.7, the leader finds 3.7 as the
 * lowest and writes that. Source: etcd, `version.Monitor`, with its times.
 *
 * A lowering ends when all members are of the version aimed at.
 */
import type { LoggedRequest } from '../apply/request-envelope.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { hexId, type NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import {
  compareReleases,
  isOneBelow,
  parseRelease,
  textOfRelease,
  type Release,
} from '../base/release.ts'
import { emptyBytes } from '../base/bytes.ts'
import { StoreError } from '../errors/store-error.ts'
import type { ClusterVersion } from '../membership/cluster-version.ts'
import type { Member } from '../membership/member.ts'
import type { AskPeer, PeerAnswer } from './leader-leases.ts'

/** Path on the peer port under which a member tells its version. */
const versionPath = '/version'

/** Path on the peer port under which a member tells whether the cluster's version is being lowered. */
export const downgradePath = '/downgrade/enabled'

/** What is written while not all members of a new cluster can be asked: the oldest that speaks this API. */
const oldestVersion: Release = { major: 3, minor: 0 }

const checkIntervalMs = 4_000
const decidedLookMs = 10

export interface ClusterVersionParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly memberId: NodeId
  /** Of this member, as major.minor.patch. */
  readonly serverVersion: string
  readonly members: () => readonly Member[]
  readonly state: () => ClusterVersion
  readonly isLeader: () => boolean
  readonly askPeer: AskPeer
  readonly propose: (request: LoggedRequest) => Promise<unknown>
}

/** Looks after the version between `start` and `stop`; of effect on the leader. */
export class ClusterVersionMonitor {
  private readonly parts: ClusterVersionParts
  private readonly downgradeCheckMs: number
  private timers: Timer[] = []
  private isRunning = false
  private isChecking = false

  /** @param downgradeCheckMs  how often it is looked whether a lowering has come to its end */
  constructor(parts: ClusterVersionParts, downgradeCheckMs: number) {
    this.parts = parts
    this.downgradeCheckMs = downgradeCheckMs
  }

  start(): void {
    this.isRunning = true
    this.repeat(checkIntervalMs, () => this.raiseOrLower())
    if (this.downgradeCheckMs > 0) this.repeat(this.downgradeCheckMs, () => this.endDowngrade())
  }

  stop(): void {
    this.isRunning = false
    for (const timer of this.timers) timer.cancel()
    this.timers = []
  }

  /** Resolves once the log has said a version; never where it was stopped before. */
  async decided(): Promise<void> {
    const { clock, state } = this.parts
    while (state().version === undefined && this.isRunning) {
      await new Promise<void>((resolve) => clock.setTimer(decidedLookMs, resolve))
    }
  }

  /** A leader begins its term: a new cluster need not wait for its first version. */
  noteLeading(): void {
    this.run(() => this.raiseOrLower())
  }

  private repeat(intervalMs: number, check: () => Promise<void>): void {
    const { clock } = this.parts
    const place = this.timers.length
    const schedule = (): void => {
      if (!this.isRunning) return
      this.timers[place] = clock.setTimer(intervalMs, () => {
        this.run(check)
        schedule()
      })
    }
    schedule()
  }

  /** One check at a time; what is missed is made up for by the next. */
  private run(check: () => Promise<void>): void {
    if (!this.isRunning || this.isChecking || !this.parts.isLeader()) return
    this.isChecking = true
    check()
      .catch((error: unknown) => {
        this.parts.logger.warn('failed to update cluster version', { reason: String(error) })
      })
      .finally(() => {
        this.isChecking = false
      })
  }

  private async raiseOrLower(): Promise<void> {
    const { state, logger, propose } = this.parts
    const lowest = lowestOf(await this.versions())
    if (!this.isRunning || !this.parts.isLeader()) return
    const present = state().version
    const next = chooseVersion(state(), lowest)
    if (next === undefined || next === present) return
    await propose({ kind: 'clusterVersion', request: { ver: next } })
    const fields = { from: present ?? '', to: next }
    logger.info(
      present === undefined ? 'set initial cluster version' : 'updated cluster version',
      fields,
    )
  }

  private async endDowngrade(): Promise<void> {
    const { state, logger, propose } = this.parts
    const target = parseRelease(state().downgrade?.targetVersion ?? '')
    if (target === undefined) return
    const versions = await this.versions()
    const isThere = versions.every(
      (version) => version !== undefined && compareReleases(version, target) === 0,
    )
    if (!isThere || !this.isRunning || !this.parts.isLeader()) return
    await propose({ kind: 'downgrade', request: { enabled: false, ver: '' } })
    logger.info('the cluster has been downgraded', { 'cluster-version': textOfRelease(target) })
  }

  /** Of all members, this one included; undefined where one cannot be asked. */
  private versions(): Promise<readonly (Release | undefined)[]> {
    const { memberId, serverVersion, members } = this.parts
    return Promise.all(
      members().map((member) =>
        member.id === memberId
          ? Promise.resolve(parseRelease(serverVersion))
          : this.versionOf(member),
      ),
    )
  }

  private async versionOf(member: Member): Promise<Release | undefined> {
    const { askPeer, logger } = this.parts
    for (const url of member.peerUrls) {
      try {
        const answer = await askPeer(url, versionPath, emptyBytes, 'GET')
        if (answer.status !== 200) continue
        return releaseOfAnswer(answer.body)
      } catch (error) {
        logger.debug('a member could not be asked for its version', {
          member: hexId(member.id),
          url,
          reason: String(error),
        })
      }
    }
    return undefined
  }
}

/** What `/version` says. @throws SyntaxError when it is no JSON */
function releaseOfAnswer(
  body: Uint8Array,
  field: 'etcdserver' | 'etcdcluster' = 'etcdserver',
): Release | undefined {
  const answer = JSON.parse(new TextDecoder().decode(body)) as unknown
  const { [field]: version } = (answer ?? {}) as Readonly<Record<string, unknown>>
  return typeof version === 'string' ? parseRelease(version) : undefined
}

/**
 * Whether a cluster speaks a version that a newcomer does not know: it could not apply what the others write. What no
 * member tells is left to the handshake.
 */
export async function isClusterNewer(
  environment: { readonly askPeer: AskPeer; readonly logger: Logger },
  members: readonly Member[],
  serverVersion: string,
): Promise<boolean> {
  const own = parseRelease(serverVersion)
  for (const url of members.flatMap((member) => member.peerUrls)) {
    try {
      const { status, body } = await environment.askPeer(url, versionPath, emptyBytes, 'GET')
      const cluster = status === 200 ? releaseOfAnswer(body, 'etcdcluster') : undefined
      if (own === undefined || cluster === undefined) continue
      const isNewer = compareReleases(cluster, own) > 0
      if (isNewer) {
        const versions = { cluster: textOfRelease(cluster), own: serverVersion }
        environment.logger.warn('the cluster is of a newer version than this member', versions)
      }
      return isNewer
    } catch (error) {
      const reason = String(error)
      environment.logger.warn('a member could not be asked for its version', { url, reason })
    }
  }
  return false
}

function lowestOf(versions: readonly (Release | undefined)[]): Release | undefined {
  let lowest: Release | undefined
  for (const version of versions) {
    if (version === undefined) return undefined
    if (lowest === undefined || compareReleases(version, lowest) < 0) lowest = version
  }
  return lowest
}

/**
 * The version that the log should say, as major.minor.0; undefined where it is to stay.
 * @param lowest  of all members; undefined while not all could be asked
 */
export function chooseVersion(
  state: Pick<ClusterVersion, 'version' | 'downgrade'>,
  lowest: Release | undefined,
): string | undefined {
  const present = parseRelease(state.version ?? '')
  if (present === undefined) return textOfRelease(lowest ?? oldestVersion)
  if (lowest === undefined) return undefined
  const target = parseRelease(state.downgrade?.targetVersion ?? '')
  if (target !== undefined) {
    return isOneBelow(target, present) ? textOfRelease(target) : undefined
  }
  return compareReleases(present, lowest) < 0 ? textOfRelease(lowest) : undefined
}

export interface DowngradeParts {
  readonly state: () => ClusterVersion
  /** @throws StoreError as every linearizable read */
  readonly confirm: () => Promise<void>
  readonly propose: (request: LoggedRequest) => Promise<unknown>
}

/** The door for requests to lower the cluster's version. All answer with its present version, as major.minor. */
export class DowngradeRequests {
  private readonly parts: DowngradeParts

  constructor(parts: DowngradeParts) {
    this.parts = parts
  }

  /**
   * Whether the cluster could be lowered to a version.
   * @throws StoreError `wrongDowngradeVersionFormat`, `clusterVersionUnavailable`, `invalidDowngradeTargetVersion`,
   *   `downgradeInProcess`, and those of every linearizable read
   */
  async validate(version: string): Promise<string> {
    await this.targetOf(version)
    return this.present()
  }

  /** Begins. @throws StoreError as {@link validate}, and those of every write */
  async enable(version: string): Promise<string> {
    const target = await this.targetOf(version)
    const request = { enabled: true, ver: textOfRelease(target) }
    await this.parts.propose({ kind: 'downgrade', request })
    return this.present()
  }

  /** Gives up, whether there is something to give up or not. @throws StoreError those of every write */
  async cancel(): Promise<string> {
    await this.parts.propose({ kind: 'downgrade', request: { enabled: false, ver: '' } })
    return this.present()
  }

  /** Tells another member whether a lowering is under way; from what is known here once it is sure to be new. */
  async answer(): Promise<PeerAnswer> {
    try {
      await this.parts.confirm()
      const isEnabled = this.parts.state().downgrade !== undefined
      return { status: 200, body: new TextEncoder().encode(String(isEnabled)) }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      const text = `failed linearized read: ${error.message}\n`
      return { status: 500, body: new TextEncoder().encode(text) }
    }
  }

  private async targetOf(version: string): Promise<Release> {
    const target = parseRelease(version)
    if (target === undefined) throw new StoreError('wrongDowngradeVersionFormat', { version })
    if (this.parts.state().version === undefined) throw new StoreError('clusterVersionUnavailable')
    await this.parts.confirm()
    const { version: present, downgrade } = this.parts.state()
    const release = parseRelease(present ?? '')
    if (release === undefined || !isOneBelow(target, release)) {
      throw new StoreError('invalidDowngradeTargetVersion', { version })
    }
    if (downgrade !== undefined) throw new StoreError('downgradeInProcess')
    return target
  }

  private present(): string {
    const release = parseRelease(this.parts.state().version ?? '')
    if (release === undefined) throw new StoreError('clusterVersionUnavailable')
    return `${release.major}.${release.minor}`
  }
}
