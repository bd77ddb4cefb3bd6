/** Languages that the user chose for values by hand: one for each folder of keys, kept for the next start. */

import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import { z } from 'zod'
import { appApi } from '../api/host-api.ts'
import { keyText } from '../format/bytes-text.ts'
import { textLanguages, type TextLanguage } from '../values/text-language.ts'

const stateName = 'valueLanguages'
/** The folders chosen longest ago are forgotten first. */
const foldersMax = 200
const schema = z.array(z.tuple([z.string(), z.enum(textLanguages)])).max(foldersMax)

export const useValueLanguageStore = defineStore('valueLanguages', () => {
  const chosen = shallowRef<ReadonlyMap<string, TextLanguage>>(new Map())
  let loading: Promise<void> | undefined

  /** Reads what was chosen before; once. */
  function load(): Promise<void> {
    loading ??= read()
    return loading
  }

  async function read(): Promise<void> {
    const text = await appApi.loadPageState(stateName)
    const parsed = schema.safeParse(text === null ? [] : JSON.parse(text))
    // Choices of another version that cannot be read are made again by the user.
    if (parsed.success) chosen.value = new Map([...parsed.data, ...chosen.value])
  }

  /** The language chosen for the folder of a key; undefined when none was. */
  function find(connectionId: string, key: Uint8Array): TextLanguage | undefined {
    return chosen.value.get(folderOf(connectionId, key))
  }

  async function choose(
    place: { readonly connectionId: string; readonly key: Uint8Array },
    language: TextLanguage,
  ): Promise<void> {
    const folder = folderOf(place.connectionId, place.key)
    const others = [...chosen.value].filter(([one]) => one !== folder)
    const next = [...others, [folder, language] as const].slice(-foldersMax)
    chosen.value = new Map(next)
    await appApi.savePageState(stateName, JSON.stringify(next))
  }

  return { load, find, choose }
})

function folderOf(connectionId: string, key: Uint8Array): string {
  const text = keyText(key)
  // A folder's name is a help, not a value: names beyond this length share their choice.
  return `${connectionId} ${text.slice(0, text.lastIndexOf('/') + 1).slice(0, 200)}`
}
