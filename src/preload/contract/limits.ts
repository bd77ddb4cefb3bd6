/**
 * Upper bounds of what may cross from the page to the main process. The page shows text that comes from clusters, so it
 * is treated as able to send anything; without bounds one message could fill the memory of the process that holds every
 * connection.
 */

/** Longest key in bytes: etcd refuses requests over 1.5 MiB, so no stored key is longer. */
export const keySizeBytesMax = 1_572_864

/** Longest value in bytes that is sent. etcd's default limit is 1.5 MiB; servers may be set up to take more. */
export const valueSizeBytesMax = 16_777_216

/** Most rows in one answer. Ten thousand rows of columns clone in about a millisecond. */
export const pageRowsMax = 10_000

/** Most operations in one transaction; etcd's default limit is 128, servers may be set up to take more. */
export const txnOperationsMax = 2_048

/** Transactions inside of transactions: so many levels below the outermost one. */
export const txnDepthMax = 6

/** Most keys in one guarded delete; larger selections are sent in several. */
export const deleteKeysMax = 1_000

/** Most keys in one plan of writes; a plan keeps about a hundred bytes for each in the main process. */
export const planKeysMax = 1_000_000

/** Most bytes of keys, and of values, that the page may give to one plan. */
export const planValuesSizeBytesMax = 134_217_728

/** Most finished plans that are kept for an undo. */
export const undoPlansMax = 50
/** Longest regular expression in UTF-16 units. */
export const patternUnitsMax = 1_024

/** Most endpoints of one connection. */
export const endpointsMax = 64

/** Longest short text (names, identifiers, URLs) in UTF-16 units. */
export const shortTextUnitsMax = 2_048

/** Longest text that may be put on the clipboard in UTF-16 units. */
export const clipboardTextUnitsMax = 33_554_432

/** Largest part of a file that is written at once, in bytes. */
export const fileChunkBytesMax = 4_194_304

/** Largest file that is read for the page, in bytes. */
export const fileReadBytesMax = 268_435_456

/** Largest local cluster. */
export const playgroundSizeMax = 7

/** Most rows of one comparison that cross to the page; half a million take about 40 MB there. */
export const compareRowsMax = 500_000

/** Longest time to live of a lease in seconds, as etcd has it. */
export const leaseTtlSecondsMax = 9_000_000_000

/** Keys of a lease that are named in one answer; their number is exact. */
export const leaseKeysMax = 100

/** Longest time for which a read-only connection may be opened for writing: a working day. */
export const unlockMinutesMax = 480

/** Most revisions whose times are asked for at once: more than rows that a window shows. */
export const revisionTimesMax = 1_000
