/**
 * Metrics whose values are read when somebody asks, and only then.
 *
 * The parts of a node count in plain fields, which costs them nothing; the library that knows the format is given what the
 * fields hold at that moment.
 */
import type { TimeHistogram } from '../../base/time-histogram.ts'

/** One value. */
export interface Sample {
  readonly value: number
  readonly labels?: Readonly<Record<string, string>>
  /** Added to the family's name. */
  readonly suffix?: string
}

/** What goes by one name. */
export interface MetricFamily<Source> {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** Without samples, the family is not shown. */
  readonly read: (source: Source) => number | readonly Sample[]
}

/** The samples of a histogram. */
export function samplesOf(
  { boundsSeconds, counts, count, sumSeconds }: TimeHistogram,
  labels: Readonly<Record<string, string>> = {},
): readonly Sample[] {
  let below = 0
  const buckets = boundsSeconds.map((bound, position): Sample => {
    below += counts[position] ?? 0
    return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: below }
  })
  return [
    ...buckets,
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count },
    { suffix: '_sum', labels, value: sumSeconds },
    { suffix: '_count', labels, value: count },
  ]
}

/**
 * The families in Prometheus' text format.
 * @returns the text and its content type
 */
export async function formatFamilies<Source>(
  families: readonly MetricFamily<Source>[],
  source: Source,
): Promise<{ readonly text: string; readonly contentType: string }> {
  // Most nodes are never asked, and none should start later for it.
  const { Gauge, Registry } = await import('prom-client')
  const registry = new Registry()
  for (const family of families) {
    const object = objectOf(family, source)
    if (object.values.length === 0) continue
    const { name, help } = family
    const metric = new Gauge({ name, help, registers: [registry] })
    // The library reads metrics through this; types other than a gauge's cannot be set by its own means.
    Object.assign(metric, { get: () => Promise.resolve(object) })
  }
  return { text: await registry.metrics(), contentType: registry.contentType }
}

/** A metric as the library hands it to its formatter. */
function objectOf<Source>(
  { name, help, type, read }: MetricFamily<Source>,
  source: Source,
): { readonly name: string; readonly values: readonly object[] } & Readonly<
  Record<string, unknown>
> {
  const result = read(source)
  const samples: readonly Sample[] = typeof result === 'number' ? [{ value: result }] : result
  const values = samples.map(({ suffix = '', labels = {}, value }) => ({
    metricName: name + suffix,
    labels,
    value,
  }))
  return { name, help, type, values }
}
