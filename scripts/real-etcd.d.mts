interface Options {
  readonly say?: (line: string) => void
}

export class EtcdMissing extends Error {}

export function ensureRealEtcd(options?: Options): void

export function ensureEtcdForBench(options?: Options): {
  readonly command: string
  readonly version: string
  readonly isExpected: boolean
}
