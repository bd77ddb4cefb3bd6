/** How many calls came from clients of which version, as they say themselves. */

/** Versions that are told apart; those of later comers count as unknown, because anybody can make them up. */
const versionsMax = 100
const unknownVersion = 'unknown'

export interface VersionCounts {
  readonly version: string
  unaryCount: number
  streamCount: number
}

export class ClientCounts {
  private readonly counts = new Map<string, VersionCounts>()
  /** The version that is most likely the next one, too. */
  private latest: VersionCounts | undefined

  /** @param version  undefined: the client does not say */
  of(version = unknownVersion): VersionCounts {
    if (this.latest?.version === version) return this.latest
    const known = this.counts.get(version) ?? this.add(version)
    this.latest = known
    return known
  }

  all(): Iterable<VersionCounts> {
    return this.counts.values()
  }

  private add(version: string): VersionCounts {
    if (this.counts.size >= versionsMax && version !== unknownVersion) return this.of()
    const added: VersionCounts = { version, unaryCount: 0, streamCount: 0 }
    this.counts.set(version, added)
    return added
  }
}
