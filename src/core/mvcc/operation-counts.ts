import { PairRunCounts } from './pair-runs.ts'

/** What was done to a store since the start of the process, for monitoring. A store that takes the place of another goes on counting. */
export class OperationCounts {
  putCount = 0
  /** Of keys and values, in bytes. */
  putSizeBytes = 0
  /** Requests to delete, whatever they found. */
  deleteCount = 0
  rangeCount = 0
  /** Requests that were more than one operation. */
  txnCount = 0
  readonly runs = new PairRunCounts()
}
