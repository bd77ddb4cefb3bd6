/**
 * Where a closed loop takes its next request from. `next()` may return the same bytes each time, changed in place, because a
 * connection copies them at once.
 *
 * A source is described by plain data, so that it can be sent to a worker: `{ kind, path, template, ... }`, where `template` is a
 * request and `digitsAt` are the places of eight-digit numbers in it.
 */
import { writeWideVarint } from '../messages.mjs'

const digitCount = 8
const zero = 48

/** The eight digits of a number, as they stand in keys. */
export const digits = (number) => String(number).padStart(digitCount, '0')

function writeDigits(bytes, offset, number) {
  let rest = number
  for (let index = digitCount - 1; index >= 0; index--) {
    const quotient = Math.floor(rest / 10)
    bytes[offset + index] = zero + rest - quotient * 10
    rest = quotient
  }
}

/** Where `marker` stands in `template`, each time. */
export function placesOf(template, marker) {
  const places = []
  for (let at = template.indexOf(marker); at >= 0; at = template.indexOf(marker, at + 1)) {
    places.push(at)
  }
  return places
}

const makers = {
  /** The same request each time. */
  fixed({ template }) {
    return () => template
  },
  /** One key of `count`, at random. */
  random({ template, digitsAt, count }) {
    return () => {
      const number = Math.floor(Math.random() * count)
      for (const place of digitsAt) writeDigits(template, place, number)
      return template
    }
  },
  /** The same request `times` times. */
  repeated({ template, times }) {
    let rest = times
    return () => (rest-- > 0 ? template : undefined)
  },
  /** Each number up to `count` once, modulo `keyCount`; as many in one request as there are places. */
  ascending({ template, digitsAt, count, keyCount = count }) {
    let number = 0
    return () => {
      if (number >= count) return undefined
      for (const place of digitsAt) writeDigits(template, place, number++ % keyCount)
      return template
    }
  },
  /** A revision from `from` up to `to`, at random, in the five bytes at `revisionAt`. */
  revision({ template, revisionAt, from, to }) {
    return () => {
      writeWideVarint(template, revisionAt, from + Math.floor(Math.random() * (to - from)))
      return template
    }
  },
  /** The same put, with the moment of its sending in the first eight bytes of the value. */
  stamped({ template, stampAt }) {
    return () => {
      template.writeDoubleLE(monotonicMs(), stampAt)
      return template
    }
  },
}

const originMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Milliseconds of a clock that all processes of a machine share. */
export const monotonicMs = () => originMs + performance.now()

/** @returns {{ path: string, next: () => Buffer | undefined }} */
export function createSource(description) {
  const template = Buffer.from(description.template)
  return { path: description.path, next: makers[description.kind]({ ...description, template }) }
}
