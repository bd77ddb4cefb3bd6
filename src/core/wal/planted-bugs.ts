/**
 * Mistakes that the simulator must find, one switch each; all of them are off in the product.
 *
 * A checker that has never fired proves nothing, so the test build plants these on purpose.
 */
export interface WalPlantedBugs {
  /** A save resolves before its sync, so that acknowledged entries may be lost in a crash (bug M1). */
  readonly skipsSync?: boolean
  /** The hard state is written and synced before the entries that it covers (bug M3). */
  readonly writesHardStateApart?: boolean
}
