/**
 * One row of the list of revisions. A function, as the rows of the key list are, and for the same reason: all rows change in every
 * frame of fast scrolling. Its clicks are heard by the list.
 */

import { h } from 'vue'
import type { FunctionalComponent, VNode } from 'vue'
import type { HistoryRow } from '../../../preload/contract/history-columns.ts'
import IconSvg from '../../components/marks/IconSvg.vue'
import OpMark from '../../components/marks/OpMark.vue'
import type { Operation } from '../../components/marks/operation.ts'
import type { ObservedText } from '../../composables/use-observed-text.ts'
import { previewText } from '../../format/bytes-text.ts'
import {
  countText,
  revisionText,
  shortIdText,
  sizeChangeText,
  sizeText,
} from '../../format/quantity-text.ts'
import type { KeyPast } from '../../stores/key-past.ts'
import './revision-row.css'

/** Words of one language. */
export interface RevisionRowTexts {
  readonly operations: Readonly<Record<Operation, string>>
  readonly ends: string
  readonly restore: (revision: string) => string
}

/** What a row is drawn from. Two rows with the same properties look the same, so that one of them is not drawn again. */
export interface RevisionRowProps {
  past: KeyPast
  texts: RevisionRowTexts
  index: number
  /** Place in the past; what stands there is told by the revision, since the past changes in place. */
  place: number
  revision: number
  /** Revision of the change before; 0: none. */
  before: number
  timeShort: string
  timeLong: string
  timeKind: ObservedText['kind']
  /** One of the two that are compared. */
  mark: string
  canWrite: boolean
  isSelected: boolean
  isActive: boolean
}

/** Shaping what no column is wide enough for would cost as much as the rest of the row. */
const previewCharsMax = 160

// The same object each time: properties that are known to be the same are not compared.
const revisionCell = { class: 'rev row', role: 'gridcell' }
const markFlag = { class: 'mark' }
const whatCell = { class: 'row what', role: 'gridcell' }
const figure = { class: 'r', role: 'gridcell' }
const quietFigure = { class: 'r muted', role: 'gridcell' }
const leaseCell = { class: 'lease mono muted', role: 'gridcell' }
const valueCell = { class: 'row value', role: 'gridcell' }
const preview = { class: 'mono muted cut grow' }

/** A row of the list. */
export const RevisionRow: FunctionalComponent<RevisionRowProps> = (props) => {
  const { past, place, texts, isSelected } = props
  if (place < 0 || place >= past.count) return null
  const row = past.rowAt(place)
  const operation = past.operationAt(place)
  const isPut = row.kind === 'put'
  return h(
    'div',
    {
      class: rowClass(props),
      role: 'row',
      'aria-rowindex': props.index + 1,
      'aria-selected': isSelected,
    },
    [
      h('span', revisionCell, [
        revisionText(row.revision),
        ...(props.mark === '' ? [] : [h('b', markFlag, [props.mark])]),
      ]),
      h('span', whatCell, [
        h(OpMark, { op: operation }),
        h('span', { class: `c-${operation}` }, [texts.operations[operation]]),
      ]),
      h('span', figure, [isPut ? countText(row.version) : '']),
      h('span', figure, [isPut ? sizeText(row.valueSizeBytes) : '']),
      h('span', quietFigure, [sizeChange(past, place, row)]),
      h('span', leaseCell, [isPut && row.lease !== 0n ? shortIdText(row.lease) : '']),
      timeCell(props),
      h('span', valueCell, [
        h('span', preview, [isPut ? previewText(row.head, previewCharsMax) : texts.ends]),
        ...(isPut && props.canWrite
          ? [restoreButton(texts.restore(revisionText(row.revision)))]
          : []),
      ]),
    ],
  )
}
RevisionRow.props = [
  ...['past', 'texts', 'index', 'place', 'revision', 'before', 'timeShort', 'timeLong', 'timeKind'],
  ...['mark', 'canWrite', 'isSelected', 'isActive'],
]
RevisionRow.displayName = 'RevisionRow'

function rowClass({ isSelected, isActive }: RevisionRowProps): string {
  return `tr${isSelected ? ' sel' : ''}${isActive ? ' focus' : ''}`
}

/** Told where the value before belongs to the same life of the key. */
function sizeChange(past: KeyPast, place: number, row: HistoryRow): string {
  const before = place > 0 ? past.rowAt(place - 1) : undefined
  if (row.kind !== 'put' || before?.kind !== 'put' || row.version <= 1) return ''
  return sizeChangeText(row.valueSizeBytes - before.valueSizeBytes)
}

function timeCell({ timeShort, timeLong, timeKind }: RevisionRowProps): VNode {
  const cell = { class: 'muted cut', role: 'gridcell', title: timeLong, 'data-time': timeKind }
  return h('span', cell, [timeShort])
}

function restoreButton(label: string): VNode {
  const names = { 'aria-label': label, title: label }
  return h('button', { type: 'button', class: 'btn-icon sm act', tabindex: -1, ...names }, [
    h(IconSvg, { name: 'undo' }),
  ])
}
