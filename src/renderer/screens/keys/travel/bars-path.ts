/** Bars of a histogram as the outlines of two SVG paths, 1000 by 54. */

const widthUnits = 1_000
const heightUnits = 54
/** Heights grow with the square root, so that one import of many keys does not flatten all the days beside it. */
const gapShare = 0.22
/** A bar with any writes is seen, however small it is beside the tallest. */
const heightMin = 2

/**
 * @param span    revisions of the whole axis
 * @param behind  revisions from the start of the axis to the one that is read: bars up to there go into `before`
 */
export function barsPath(options: {
  readonly bars: Float64Array
  readonly barRevisions: number
  readonly span: number
  readonly behind: number
}): { readonly before: string; readonly after: string } {
  const { bars, barRevisions, span, behind } = options
  const tallest = bars.reduce((most, one) => Math.max(most, one), 1)
  const step = (barRevisions / span) * widthUnits
  const paths = { before: '', after: '' }
  bars.forEach((writeCount, at) => {
    if (writeCount === 0) return
    const height = Math.max(heightMin, Math.sqrt(writeCount / tallest) * (heightUnits - heightMin))
    const left = at * step
    const width = Math.max(0.8, Math.min(step, widthUnits - left) * (1 - gapShare))
    const bar = `M${left.toFixed(1)} ${String(heightUnits)}v${(-height).toFixed(1)}h${width.toFixed(1)}V${String(heightUnits)}z`
    if (at * barRevisions <= behind) paths.before += bar
    else paths.after += bar
  })
  return paths
}
