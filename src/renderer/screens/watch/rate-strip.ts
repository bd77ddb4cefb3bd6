/** Draws how many events there were in each second: bars of creates, updates and deletes, hatched where there was no stream. */

import { ratedOps, ratedSeconds } from '../../stores/watch-rates.ts'
import type { RatedSecond } from '../../stores/watch-rates.ts'

/** Colours by token name, as they are in force. */
type TokenReader = (name: string) => string

/** Highest bar of a quiet strip: four events do not fill it. */
const highestMin = 4

/**
 * Draws the seconds, the newest at the right edge.
 *
 * @param size  in CSS pixels, and how many device pixels each has
 */
export function drawRates(
  canvas: HTMLCanvasElement,
  seconds: readonly RatedSecond[],
  look: {
    readonly widthPx: number
    readonly heightPx: number
    readonly ratio: number
    readonly token: TokenReader
  },
): void {
  const { widthPx, heightPx, ratio, token } = look
  canvas.width = Math.max(1, Math.round(widthPx * ratio))
  canvas.height = Math.max(1, Math.round(heightPx * ratio))
  const context = canvas.getContext('2d')
  if (context === null) return
  context.scale(ratio, ratio)
  context.strokeStyle = token('grid')
  for (const part of [1 / 3, 2 / 3]) {
    const y = Math.round(heightPx * part) + 0.5
    context.beginPath()
    context.moveTo(0, y)
    context.lineTo(widthPx, y)
    context.stroke()
  }
  const highest = Math.max(highestMin, ...seconds.map(totalOf))
  const stepPx = widthPx / (ratedSeconds - 1)
  const barPx = Math.max(1, stepPx - (stepPx > 3 ? 1 : 0.3))
  const colours = {
    create: token('create-mark'),
    put: token('put-mark'),
    delete: token('delete-mark'),
  }
  const silence = token('seam')
  seconds.forEach((second, at) => {
    const x = widthPx - (seconds.length - at) * stepPx
    if (second.isSilent) drawSilence(context, { x, stepPx, heightPx, colour: silence })
    let y = heightPx
    for (const op of ratedOps) {
      const barHeightPx = (second.counts[op] / highest) * (heightPx - 2)
      if (barHeightPx === 0) continue
      context.fillStyle = colours[op]
      context.fillRect(x, y - barHeightPx, barPx, barHeightPx)
      y -= barHeightPx
    }
  })
}

/** All events of a second. */
export function totalOf(second: RatedSecond): number {
  return ratedOps.reduce((sum, op) => sum + second.counts[op], 0)
}

function drawSilence(
  context: CanvasRenderingContext2D,
  place: {
    readonly x: number
    readonly stepPx: number
    readonly heightPx: number
    readonly colour: string
  },
): void {
  const { x, stepPx, heightPx, colour } = place
  context.save()
  context.globalAlpha = 0.5
  context.strokeStyle = colour
  context.beginPath()
  for (let y = 0; y < heightPx + stepPx; y += 5) {
    context.moveTo(x, y)
    context.lineTo(x + stepPx, y - stepPx)
  }
  context.stroke()
  context.restore()
}
