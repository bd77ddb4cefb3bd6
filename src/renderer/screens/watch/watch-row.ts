/**
 * One line of the list of events: an event, a seam, or nothing where the details of the row above cover the place.
 *
 * A function that makes its nodes by hand, not a template: where thousands of events come in a second all rows change with each
 * showing, so a row has as few elements as it can, changes the text of the nodes it has instead of replacing them, and depends on
 * nothing reactive but what it is given. Its clicks are heard by the list.
 */

import { h } from 'vue'
import type { FunctionalComponent, VNode } from 'vue'
import IconSvg from '../../components/marks/IconSvg.vue'
import OpMark from '../../components/marks/OpMark.vue'
import type { Operation } from '../../components/marks/operation.ts'
import { keyText, previewText } from '../../format/bytes-text.ts'
import { endsOf } from '../../format/cut-text.ts'
import {
  countText,
  idText,
  revisionText,
  shortIdText,
  sizeChangeText,
  sizeText,
} from '../../format/quantity-text.ts'
import type { EventRow } from '../../stores/watch-log.ts'
import type { WatchPane } from '../../stores/watch-pane.ts'
import WatchSeamLine from './WatchSeamLine.vue'
import type { RowTexts } from './row-texts.ts'
import './watch-row.css'

/** What a line is drawn from. Two lines with the same properties look the same, so that one of them is not drawn again. */
export interface WatchRowProps {
  pane: WatchPane
  texts: RowTexts
  /** Absent where there is no row. */
  id: number | undefined
  /** What the row says; undefined for a seam. It may be found out later that a key had expired. */
  op: Operation | undefined
  index: number
  colour: number
  isFirst: boolean
  isSecond: boolean
  isLast: boolean
  /** Changes of the same revision that are shown. */
  groupSize: number
  isActive: boolean
  isSelected: boolean
  isExpanded: boolean
  isFound: boolean
  isMarked: boolean
  /** When it came, and the same as a sentence; only of the first line of a revision. */
  timeShort: string
  timeLong: string
}

const previewChars = 160
/** Names up to this long have room; longer ones give way in their middle. */
const wholeCharsMax = 40

// The same object each time: properties that are known to be the same are not compared.
const group = { class: 'gr', role: 'gridcell' }
const revision = { class: 'rev' }
const time = { class: 'num subtle cut', 'data-testid': 'event-time' }
const muted = { class: 'muted' }
const subtle = { class: 'subtle' }
const folding = { class: 'folding', role: 'gridcell' }
const mark = { class: 'mark', role: 'presentation' }
const figure = { class: 'r num muted', role: 'gridcell' }
const noLease = { class: 'row lease', role: 'gridcell' }
const leaseMark = { class: 'c-lease', size: 's', name: 'lease' } as const
const ends = { class: 'ends' }
const longFolder = { class: 'cut subtle folder trace' }
const cut = { class: 'cut' }
const end = { class: 'end' }

/** A line of the list. */
export const WatchRow: FunctionalComponent<WatchRowProps> = (props) => {
  const { pane, id, index } = props
  if (id === undefined) return null
  const seam = props.op === undefined ? pane.log.seamOf(id) : undefined
  if (seam !== undefined) {
    return h(WatchSeamLine, {
      entry: seam,
      isActive: props.isActive,
      'aria-rowindex': index + 1,
    })
  }
  const row = pane.log.rowOf(id)
  return row === undefined ? null : eventLine(props, row)
}
WatchRow.props = [
  ...['pane', 'texts', 'id', 'op', 'index', 'colour', 'isFirst', 'isSecond', 'isLast'],
  ...[
    'groupSize',
    'isActive',
    'isSelected',
    'isExpanded',
    'isFound',
    'isMarked',
    'timeShort',
    'timeLong',
  ],
]
WatchRow.displayName = 'WatchRow'

function eventLine(props: WatchRowProps, row: EventRow): VNode {
  const { texts, isSelected } = props
  const name = keyText(row.key)
  return h(
    'div',
    {
      class: lineClass(props),
      role: 'row',
      'aria-rowindex': props.index + 1,
      'aria-selected': isSelected,
      'data-testid': 'watch-event',
      'data-revision': row.revision,
    },
    [
      h('span', group, groupCells(props, row)),
      h('i', {
        class: 'wc',
        role: 'presentation',
        style: `background: var(--conn-${String(props.colour)})`,
      }),
      h('span', folding, [foldButton(props, name)]),
      h('span', mark, [h(OpMark, { op: row.op })]),
      h('span', operationOf(row.op, texts), [texts.operations[row.op]]),
      nameCell(name),
      h('span', figure, [row.version === 0 ? '' : countText(row.version)]),
      sizeCell(row, texts),
      leaseCell(row.lease),
      valueCell(row, texts),
    ],
  )
}

function lineClass(props: WatchRowProps): string {
  let name = 'ev'
  if (props.isSelected) name += ' sel'
  if (props.isActive) name += ' focus'
  if (props.isLast && !props.isExpanded) name += ' last'
  if (props.isFound) name += ' found'
  return name
}

function groupCells(props: WatchRowProps, row: EventRow): VNode[] {
  const { isFirst, isSecond, groupSize, texts, timeShort, timeLong } = props
  if (isFirst) {
    return [
      h('span', revision, [revisionText(row.revision)]),
      h('span', { ...time, title: timeLong }, [timeShort]),
    ]
  }
  return isSecond ? [h('span', muted, [texts.txn(String(groupSize))])] : []
}

function foldButton({ isExpanded, isMarked, texts }: WatchRowProps, name: string): VNode {
  const icon = isMarked ? 'star' : isExpanded ? 'chevd' : 'chev'
  return h(
    'button',
    {
      ...{ type: 'button', class: 'fold', tabindex: -1 },
      ...{ 'aria-label': texts.toggle(name), 'aria-expanded': isExpanded },
    },
    [h(IconSvg, { size: 's', name: icon })],
  )
}

function operationOf(op: Operation, texts: RowTexts): Record<string, unknown> {
  if (op === 'expire') return { class: 'ek c-lease', role: 'gridcell', title: texts.expiredHint }
  return { class: `ek c-${op}`, role: 'gridcell' }
}

/** The folder part is grey, so that the last part can be read down the column. A long name gives way in its middle. */
function nameCell(name: string): VNode {
  const nameAt = name.lastIndexOf('/', name.length - 2) + 1
  const folder = name.slice(0, nameAt)
  const own = name.slice(nameAt)
  const cell = { class: 'mono cut', role: 'gridcell', title: name, 'aria-label': name }
  if (name.length <= wholeCharsMax) return h('span', cell, [h('span', subtle, [folder]), own])
  return h('span', cell, [h('span', ends, [h('span', longFolder, [folder]), cutText(own)])])
}

function cutText(text: string): VNode {
  const parts = endsOf(text)
  if (parts.end === '') return h('span', cut, [parts.start])
  return h('span', ends, [h('span', cut, [parts.start]), h('span', end, [parts.end])])
}

/** How the size changed; unknown where an old value may have been, and was not delivered. */
function sizeCell(row: EventRow, texts: RowTexts): VNode {
  if (!row.hasPrevious && row.op !== 'create') return h('span', figure, [''])
  const { sizeBytes, previousSizeBytes } = row
  const title = texts.sizes(sizeText(sizeBytes), sizeText(previousSizeBytes))
  return h('span', { ...figure, title }, [sizeChangeText(sizeBytes - previousSizeBytes)])
}

function leaseCell(lease: bigint): VNode {
  if (lease === 0n) return h('span', noLease)
  const id = { class: 'mono muted cut', title: idText(lease) }
  return h('span', noLease, [h(IconSvg, leaseMark), h('span', id, [shortIdText(lease)])])
}

function valueCell(row: EventRow, texts: RowTexts): VNode {
  const text = valueText(row, texts)
  return h('span', { class: 'mono muted cut', role: 'gridcell', title: text }, [text])
}

function valueText(row: EventRow, texts: RowTexts): string {
  if (row.op === 'create' || row.op === 'put') return previewText(row.value, previewChars)
  return row.hasPrevious ? texts.was(previewText(row.previousValue, previewChars)) : texts.gone
}
