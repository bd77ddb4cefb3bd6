import { expect, test } from 'vitest'
import { doublingSeconds, TimeHistogram } from '../../../../../src/core/base/time-histogram.ts'
import { CallCounts } from '../../../../../src/core/rpc/metrics/call-counts.ts'
import {
  formatFamilies,
  samplesOf,
  type MetricFamily,
} from '../../../../../src/core/rpc/metrics/metric-family.ts'
import type { ServiceTable } from '../../../../../src/core/rpc/rpc-call.ts'

test('families are written with their types, labels and buckets, and those without samples not at all', async () => {
  const times = new TimeHistogram(doublingSeconds(0.5, 2))
  for (const tookMs of [100, 700, 9_000]) times.recordMs(tookMs)
  const families: readonly MetricFamily<TimeHistogram>[] = [
    { name: 'many_total', type: 'counter', help: 'Many.', read: ({ count }) => count },
    { name: 'time_seconds', type: 'histogram', help: 'Times.', read: samplesOf },
    { name: 'none', type: 'gauge', help: 'None.', read: () => [] },
    {
      name: 'named',
      type: 'gauge',
      help: 'With a name.',
      read: () => [{ labels: { name: 'a"b' }, value: 1 }],
    },
  ]
  const { text, contentType } = await formatFamilies(families, times)
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(text.split('\n').filter((line) => line !== '')).toEqual([
    '# HELP many_total Many.',
    '# TYPE many_total counter',
    'many_total 3',
    '# HELP time_seconds Times.',
    '# TYPE time_seconds histogram',
    'time_seconds_bucket{le="0.5"} 1',
    'time_seconds_bucket{le="1"} 2',
    'time_seconds_bucket{le="+Inf"} 3',
    'time_seconds_sum 9.8',
    'time_seconds_count 3',
    '# HELP named With a name.',
    '# TYPE named gauge',
    'named{name="a\\"b"} 1',
  ])
})

test('calls are counted by method and outcome, and open ones are the difference', () => {
  const services: ServiceTable = new Map([
    [
      'etcdserverpb.Watch',
      new Map([
        ['Watch', { kind: 'stream' as const, isServedByLearner: false, handle: () => undefined }],
      ]),
    ],
  ])
  const counts = new CallCounts(services)
  const watch = counts.of('/etcdserverpb.Watch/Watch')
  watch.startedCount += 2
  watch.countEnd(1, 0)
  expect(watch).toMatchObject({ type: 'bidi_stream', openCount: 1 })
  expect([...counts.all()]).toEqual([watch])
  expect(counts.of('/no/method')).not.toBe(watch)
})
