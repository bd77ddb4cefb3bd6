/** English texts of the history of a key and of differences. */
export const enHistory = {
  diff: {
    region: 'Difference of {label}',
    original: 'Before, {label}',
    modified: 'After, {label}',
    bytes: 'Difference by bytes',
    absent: 'did not exist',
    equal: 'equal',
    countedLines: '−{removed} +{added} lines',
    countedBytes: '−{removed} +{added} bytes',
  },
} as const
