/** The log of everything that this app did to a cluster. */

/** One call that changes something, after it ended. Holds no values. */
export interface Operation {
  /** Rising from 1 in each run of the app. */
  readonly sequence: number
  readonly connectionId: string
  readonly connectionName: string
  /** Wall time in milliseconds when the call was sent. */
  readonly startedAtMs: number
  readonly durationMs: number
  /** RPC name, for example `KV.Put`. */
  readonly call: string
  /** First key or start of the range; absent where there is none. */
  readonly key?: Uint8Array
  readonly keyCount: number
  readonly outcome: 'done' | 'refused' | 'unknown'
  /** Present when `done`. */
  readonly revision?: number
  /** Present unless `done`. */
  readonly reason?: string
  /** The same as an etcdctl command line; values are left out as `…`. */
  readonly commandLine: string
}
