/**
 * One row of the key list.
 *
 * A function that makes its nodes by hand, not a template: all rows of the list change in every frame of fast scrolling, so a row has
 * as few elements as it can, changes the text of the nodes it has instead of replacing them, and depends on nothing reactive but what
 * it is given.
 */

import { h } from 'vue'
import type { FunctionalComponent, VNode } from 'vue'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import IconSvg from '../../components/marks/IconSvg.vue'
import { keyText, previewText } from '../../format/bytes-text.ts'
import { endsOf } from '../../format/cut-text.ts'
import {
  countText,
  idText,
  revisionText,
  shortIdText,
  sizeText,
} from '../../format/quantity-text.ts'
import type { AfterState } from '../../stores/travel-after.ts'
import type { ShownColumn } from './key-columns.ts'
import AfterCell from './travel/AfterCell.vue'
import './key-row.css'

/** What a row is drawn from. Two rows with the same properties look the same, so that one of them is not drawn again. */
export interface KeyRowProps {
  /** Absent while it is on its way. */
  row: KeyRow | undefined
  /** The whole key. */
  text: string
  columns: readonly ShownColumn[]
  /** What came after the revision that is read. */
  after: AfterState | undefined
  prefixLength: number
  /** The prefix as `keyText` writes it. */
  prefixText: string
  separator: string
  index: number
  isOpened: boolean
  isSelected: boolean
  isActive: boolean
  isFlashed: boolean
  isLeaving: boolean
}

/** Shaping what no column is wide enough for would cost as much as the rest of the row. */
const previewCharsMax = 160

// The same object each time: properties that are known to be the same are not compared.
const cell = { role: 'gridcell' }
const figure = { role: 'gridcell', class: 'r' }
const created = { role: 'gridcell', class: 'r rev subtle' }
const modified = { role: 'gridcell', class: 'r rev' }
const preview = { role: 'gridcell', class: 'mono muted' }
const iconAndText = { role: 'gridcell', class: 'row' }
const waitingFigure = { role: 'gridcell', class: 'r waiting' }
const waiting = { role: 'gridcell', class: 'waiting' }
const folderOnly = { class: 'cut' }
const folderBefore = { class: 'cut subtle trace' }
const shortFolderBefore = { class: 'cut subtle' }
/** A folder of so few letters is not cut. */
const shortCharsMax = 3
const lastPart = { class: 'last' }
const longStart = { class: 'cut start' }
const leaseMark = { class: 'c-lease', size: 's', name: 'lease' } as const
const skeleton = (width: 'short' | 'wide' | 'long'): VNode => h('i', { class: `skel ${width}` })

/** The cells of a row, or grey bars while it is on its way. */
export const KeyRowCells: FunctionalComponent<KeyRowProps> = (props) => {
  const { row, index, columns } = props
  const isSelected = props.isOpened || props.isSelected
  return h(
    'div',
    {
      class: rowClass(props),
      role: 'row',
      'aria-rowindex': index + 1,
      'aria-selected': isSelected,
      'aria-busy': row === undefined ? true : undefined,
    },
    row === undefined
      ? [h('span', waiting, [skeleton('wide')]), ...columns.map(() => h('span', cell))]
      : [nameCell(props, row), ...columns.map((column) => cellOf(column, row, props.after))],
  )
}
KeyRowCells.props = [
  ...['row', 'text', 'columns', 'after', 'prefixLength', 'prefixText', 'separator', 'index'],
  ...['isOpened', 'isSelected', 'isActive', 'isFlashed', 'isLeaving'],
]
KeyRowCells.displayName = 'KeyRowCells'

function rowClass(props: KeyRowProps): string {
  let name = 'tr'
  if (props.isOpened || props.isSelected) name += ' sel'
  if (props.isActive) name += ' focus'
  if (props.isFlashed) name += ' flash'
  if (props.isLeaving) name += ' leaving'
  return name
}

/** The name behind the prefix; the folder part is grey, so that the last part can be read down the column. A long name gives way in its middle. */
function nameCell(props: KeyRowProps, row: KeyRow): VNode {
  const { text, separator } = props
  const rest = restText(props, row)
  const title = { role: 'gridcell', class: 'mono name', title: text }
  if (rest === '') return h('span', title, [h('span', folderOnly, [text])])
  const cut =
    separator === '' ? -1 : rest.lastIndexOf(separator, rest.length - separator.length - 1)
  const nameAt = cut < 0 ? 0 : cut + separator.length
  const { start, end } = endsOf(rest.slice(nameAt))
  if (nameAt === 0 && end === '') return h('span', title, [rest])
  return h('span', { ...title, class: 'mono name parts' }, [
    ...(nameAt === 0 ? [] : [folderCell(rest.slice(0, nameAt))]),
    ...(end === '' ? [] : [h('span', longStart, [start])]),
    h('span', lastPart, [end === '' ? start : end]),
  ])
}

function folderCell(folder: string): VNode {
  return h('span', folder.length > shortCharsMax ? folderBefore : shortFolderBefore, [folder])
}

/** A prefix that ends inside a character or an escape is no beginning of the key's text. */
function restText({ text, prefixLength, prefixText }: KeyRowProps, row: KeyRow): string {
  if (prefixLength === 0) return text
  return text.startsWith(prefixText) && !prefixText.endsWith('\\')
    ? text.slice(prefixText.length)
    : keyText(row.key.subarray(prefixLength))
}

function cellOf(column: ShownColumn, row: KeyRow, after: AfterState | undefined): VNode {
  switch (column) {
    case 'size':
      return row.valueSizeBytes < 0
        ? h('span', waitingFigure, [skeleton('short')])
        : h('span', figure, [sizeText(row.valueSizeBytes)])
    case 'version':
      return h('span', figure, [countText(row.version)])
    case 'create':
      return h('span', created, [revisionText(row.createRevision)])
    case 'mod':
      return h('span', modified, [revisionText(row.modRevision)])
    case 'after':
      return h('span', after === undefined ? waiting : cell, [h(AfterCell, { state: after })])
    case 'lease':
      return row.lease === 0n ? h('span', cell) : leaseCell(row.lease)
    case 'preview':
      return row.value.length > 0 || row.valueSizeBytes === 0
        ? h('span', preview, [previewText(row.value, previewCharsMax)])
        : h('span', waiting, [skeleton('long')])
  }
}

function leaseCell(lease: bigint): VNode {
  const id = { class: 'mono muted cut', title: idText(lease) }
  return h('span', iconAndText, [h(IconSvg, leaseMark), h('span', id, [shortIdText(lease)])])
}
