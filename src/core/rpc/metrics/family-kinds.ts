/** Ways to say what a metric is. */
import type { MetricFamily } from './metric-family.ts'
import type { MetricSource } from './metric-source.ts'

/** One metric of a node. */
export type Family = MetricFamily<MetricSource>
/** Where its values come from. */
export type Read = Family['read']

/** A value that goes up and down. */
export const gauge = (name: string, help: string, read: Read): Family => ({
  name,
  type: 'gauge',
  help,
  read,
})
/** A value that only grows. */
export const counter = (name: string, help: string, read: Read): Family => ({
  name,
  type: 'counter',
  help,
  read,
})
/** As metrics tell yes and no. */
export const flag = (isSet: boolean): number => (isSet ? 1 : 0)
