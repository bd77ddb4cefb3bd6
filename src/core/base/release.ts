/** Versions of etcd as members tell them to each other: major.minor.patch, of which the patch changes no behaviour. */

/** A version without its patch. */
export interface Release {
  readonly major: number
  readonly minor: number
}

/** Undefined where the text does not begin with major.minor. A patch, or a name behind it, may follow. */
export function parseRelease(text: string): Release | undefined {
  const match = /^(\d{1,9})\.(\d{1,9})(?:\.\d{1,9}(?:[-+].*)?)?$/.exec(text)
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) }
}

/** Negative where the left one is older, 0 where both are the same. */
export function compareReleases(left: Release, right: Release): number {
  return left.major - right.major || left.minor - right.minor
}

/** As a cluster's version is written: `3.7.0`. */
export function textOfRelease({ major, minor }: Release): string {
  return `${major}.${minor}.0`
}

/** Whether a cluster may go from one to the other in one step down. */
export function isOneBelow(target: Release, current: Release): boolean {
  return target.major === current.major && target.minor === current.minor - 1
}
