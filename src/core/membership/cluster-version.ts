/**
 * The version that all members speak, and whether it is being lowered; both decided by the leader and written through the
 * log. Bucket `cluster`: `clusterVersion` → `3.7.0`, `downgrade` → `{"target-version":"3.6.0","enabled":true}`, as etcd has
 * them.
 */
import type { BackendBatch, BackendReader } from '../backend/backend.ts'
import { StorageFault } from '../errors/storage-fault.ts'

/** The version is being lowered. */
export interface DowngradeJob {
  /** As major.minor.0. */
  readonly targetVersion: string
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const versionKey = encoder.encode('clusterVersion')
const downgradeKey = encoder.encode('downgrade')

/** Mirrored in memory; changed only by applied entries. */
export class ClusterVersion {
  /** Invariant: both are the same as in the bucket with the open batch. */
  private versionText: string | undefined
  private job: DowngradeJob | undefined

  /** @throws StorageFault when what is stored cannot be read */
  static open(reader: BackendReader): ClusterVersion {
    const opened = new ClusterVersion()
    const version = reader.get('cluster', versionKey)
    if (version !== undefined) opened.versionText = decoder.decode(version)
    const downgrade = reader.get('cluster', downgradeKey)
    if (downgrade !== undefined) opened.job = parseJob(decoder.decode(downgrade))
    return opened
  }

  /** As major.minor.0; undefined until a leader has decided it. */
  get version(): string | undefined {
    return this.versionText
  }

  /** Undefined while nobody wants a lower version. */
  get downgrade(): DowngradeJob | undefined {
    return this.job
  }

  setVersion(batch: BackendBatch, version: string): void {
    this.versionText = version
    batch.put('cluster', versionKey, encoder.encode(version))
  }

  /** @param job  undefined: done, or given up */
  setDowngrade(batch: BackendBatch, job: DowngradeJob | undefined): void {
    this.job = job
    const text = JSON.stringify({
      'target-version': job?.targetVersion ?? '',
      enabled: job !== undefined,
    })
    batch.put('cluster', downgradeKey, encoder.encode(text))
  }
}

function parseJob(text: string): DowngradeJob | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new StorageFault('the stored downgrade is not valid JSON', {
      path: 'bucket cluster',
      cause: error,
    })
  }
  const fields = (value ?? {}) as Readonly<Record<string, unknown>>
  const { enabled, 'target-version': targetVersion } = fields
  return enabled === true && typeof targetVersion === 'string' ? { targetVersion } : undefined
}
