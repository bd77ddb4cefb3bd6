/** Metrics of parts that etcd does not have; their names begin with the product's, so that they are never taken for etcd's. */
import { counter, gauge, type Family } from './family-kinds.ts'

/** Of ranges that are kept for whoever asks again. */
export const ownFamilies: readonly Family[] = [
  gauge(
    'quorate_range_cache_size_bytes',
    'Memory of answers that are kept.',
    ({ node }) => node.operations.runs.sizeBytes,
  ),
  counter(
    'quorate_range_cache_hit_pairs_total',
    'Pairs that were answered out of it.',
    ({ node }) => node.operations.runs.hitPairCount,
  ),
  counter(
    'quorate_range_cache_missed_pairs_total',
    'Pairs that were read although they might have been kept.',
    ({ node }) => node.operations.runs.missedPairCount,
  ),
]
