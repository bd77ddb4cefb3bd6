import type { useI18n } from 'vue-i18n'
import { countText, sizeText } from '../../../format/quantity-text.ts'
import { unpackedBytesMax, type DecodedValue } from '../../../values/decode-value.ts'
import { findTimes, type FoundTime } from '../../../values/time-facts.ts'
import type { ValueKind } from '../../../values/value-kind.ts'

type Translate = ReturnType<typeof useI18n>['t']

/** One fact about a value: an icon, what it says, and how much it matters. */
export interface ValueFact {
  readonly icon: string
  readonly tone: 'plain' | 'warn'
  readonly text: string
  /** More of it, shown on hover. */
  readonly hint?: string
}

/** Local time with its date, and in UTC. */
export function dateTexts(atMs: number): { readonly text: string; readonly hint: string } {
  const date = new Date(atMs)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${String(date.getFullYear())}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return { text: `${day} ${time}`, hint: date.toISOString() }
}

/** What a packed value holds, as far as it was looked at. */
export function decodedFacts(decoded: DecodedValue, t: Translate): readonly ValueFact[] {
  const facts: ValueFact[] = []
  const packed = decoded.layers.filter(
    (layer) => layer.kind !== 'jwt' && layer.kind !== 'kubernetes',
  )
  const first = packed[0]
  const last = packed.at(-1)
  if (first !== undefined && last !== undefined) {
    const inner = t(`value.kinds.${decoded.innerKind}`)
    const names = t('value.inside', {
      names: packed.map(({ kind }) => t(`value.kinds.${kind}`)).join(' › '),
      inner,
    })
    const sizes = { from: sizeText(first.fromBytes), to: sizeText(last.toBytes) }
    facts.push(plain('full', t('value.layers', { names, ...sizes })))
  }
  facts.push(...tokenFacts(decoded, t), ...objectFacts(decoded, t))
  if (decoded.obstacle === 'tooLarge')
    facts.push(warn(t('value.tooLarge', { size: sizeText(unpackedBytesMax) })))
  if (decoded.obstacle === 'damaged') facts.push(warn(t('value.damaged')))
  return facts
}

/** Times that a text holds as numbers. */
export function timeFacts(text: string, t: Translate): readonly ValueFact[] {
  const times = findTimes(text)
  const [first] = times
  if (first === undefined) return []
  const { text: time } = dateTexts(first.atMs)
  const said =
    first.name === '' ? t('value.timeWhole', { time }) : t('value.time', { name: first.name, time })
  const more =
    times.length > 1 ? ` ${t('value.timesMore', { n: countText(times.length - 1) })}` : ''
  const hint = times.map((one) => timeHint(one, t)).join('\n')
  return [{ icon: 'clock', tone: 'plain', text: `${said}${more}`, hint }]
}

/** How a text ends its lines. */
export function lineEndText(text: string, kind: ValueKind, t: Translate): string {
  if (!kind.isText || text === '') return ''
  const hasWindows = text.includes('\r\n')
  const hasUnix = /(?:^|[^\r])\n/u.test(text)
  const name = hasWindows ? (hasUnix ? 'mixed' : 'crlf') : hasUnix ? 'lf' : undefined
  if (name === undefined) return ''
  const ends = t(`value.lineEnds.${name}`)
  return text.endsWith('\n') ? ends : `${ends}, ${t('value.noFinalNewline')}`
}

function tokenFacts({ layers, token }: DecodedValue, t: Translate): readonly ValueFact[] {
  if (layers.at(-1)?.kind !== 'jwt') return []
  if (token === undefined) return [plain('auth', t('value.jwtPlain'))]
  const algorithm = token.algorithm
  const facts: ValueFact[] = [plain('auth', t('value.jwt', { algorithm }))]
  if (token.subject !== undefined)
    facts.push(plain('follower', t('value.subject', { name: token.subject })))
  if (token.expiresAtMs !== undefined) {
    const isOver = token.expiresAtMs < Date.now()
    const { text: time, hint } = dateTexts(token.expiresAtMs)
    const said = t(isOver ? 'value.expired' : 'value.expires', { time })
    facts.push({ icon: 'clock', tone: isOver ? 'warn' : 'plain', text: said, hint })
  }
  return facts
}

function objectFacts({ object }: DecodedValue, t: Translate): readonly ValueFact[] {
  if (object === undefined) return []
  const { apiVersion, kind, obstacle, reason = '' } = object
  if (obstacle === undefined) return [plain('lock', t('value.object', { apiVersion, kind }))]
  if (obstacle === 'damaged') return [warn(t('value.objectDamaged', { reason }))]
  const key = obstacle === 'unknownKind' ? 'value.objectUnknown' : 'value.objectOther'
  return [warn(t(key, { apiVersion, kind }))]
}

function timeHint({ name, atMs, unit }: FoundTime, t: Translate): string {
  const isNumber = unit !== 'uuid' && unit !== 'ulid'
  const { text, hint } = dateTexts(atMs)
  const what = isNumber
    ? t('value.unix', { unit })
    : t('value.identifier', { unit: unit.toUpperCase() })
  return `${name === '' ? '' : `${name}: `}${text}, ${hint} (${what})`
}

function plain(icon: string, text: string): ValueFact {
  return { icon, tone: 'plain', text }
}

function warn(text: string): ValueFact {
  return { icon: 'warn', tone: 'warn', text }
}
