/** What the user may change about the app, and the state of the window that is kept for the next start. */

import { z } from 'zod'
import { shortTextUnitsMax } from './limits.ts'

/** Columns of key lists that may be hidden; the key itself always stands. */
export const keyColumnNames = ['size', 'version', 'create', 'mod', 'lease', 'preview'] as const
export type KeyColumnName = (typeof keyColumnNames)[number]

/** All settings with their defaults. */
export const settingsSchema = z.strictObject({
  theme: z.enum(['system', 'light', 'dark', 'contrast']).default('system'),
  density: z.enum(['comfortable', 'compact']).default('comfortable'),
  /** What splits keys into folders; empty for a flat list. */
  keySeparator: z.string().max(8).default('/'),
  /** Folders beside the list of keys, or the list alone. */
  keyView: z.enum(['tree', 'flat']).default('tree'),
  keyColumns: z
    .array(z.enum(keyColumnNames))
    .max(keyColumnNames.length)
    .default([...keyColumnNames]),
  /** Rows asked for at once. */
  pageRows: z.number().int().min(100).max(10_000).default(1_000),
  /** Bytes of each value shown in lists. */
  previewBytes: z.number().int().min(0).max(4_096).default(512),
  /** Rows that a watch pane keeps. */
  watchRows: z.number().int().min(100).max(1_000_000).default(100_000),
  editorFontSizePx: z.number().int().min(8).max(32).default(13),
  isEditorWrapping: z.boolean().default(true),
})
export type Settings = z.infer<typeof settingsSchema>

/** The settings to change; the others stay. */
export const settingsPatchSchema = z
  .strictObject({
    theme: settingsSchema.shape.theme.unwrap().optional(),
    density: settingsSchema.shape.density.unwrap().optional(),
    keySeparator: settingsSchema.shape.keySeparator.unwrap().optional(),
    keyView: settingsSchema.shape.keyView.unwrap().optional(),
    keyColumns: settingsSchema.shape.keyColumns.unwrap().optional(),
    pageRows: settingsSchema.shape.pageRows.unwrap().optional(),
    previewBytes: settingsSchema.shape.previewBytes.unwrap().optional(),
    watchRows: settingsSchema.shape.watchRows.unwrap().optional(),
    editorFontSizePx: settingsSchema.shape.editorFontSizePx.unwrap().optional(),
    isEditorWrapping: settingsSchema.shape.isEditorWrapping.unwrap().optional(),
  })
  .readonly()
export type SettingsPatch = z.infer<typeof settingsPatchSchema>

/** State of the page (widths, open tabs) as the page's own JSON text; losing it loses no work. */
export const pageStateSchema = z
  .strictObject({
    name: z.string().regex(/^[a-zA-Z0-9.-]{1,64}$/),
    text: z.string().max(shortTextUnitsMax * 128),
  })
  .readonly()
export type PageState = z.infer<typeof pageStateSchema>

export const pageStateRequestSchema = z
  .strictObject({ name: z.string().regex(/^[a-zA-Z0-9.-]{1,64}$/) })
  .readonly()
export type PageStateRequest = z.infer<typeof pageStateRequestSchema>
