/** Revisions with names, kept for each cluster beyond the end of the app. */

import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import { z } from 'zod'
import { pageStateApi } from '../api/page-state-api.ts'
import { idText } from '../format/quantity-text.ts'

/** A revision that the user gave a name. */
export interface Bookmark {
  readonly revision: number
  readonly name: string
}

/** More would hide the timeline that they stand on. */
export const bookmarksMax = 200
const nameUnitsMax = 80

const bookmarksSchema = z
  .array(
    z.strictObject({
      revision: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
      name: z.string().min(1).max(nameUnitsMax),
    }),
  )
  .max(bookmarksMax)

export const useBookmarkStore = defineStore('bookmarks', () => {
  const byCluster = shallowReactive(new Map<bigint, readonly Bookmark[]>())
  const asked = new Set<bigint>()

  /** The bookmarks of a cluster by revision; read from the last run at the first call. */
  function bookmarksOf(clusterId: bigint): readonly Bookmark[] {
    if (!asked.has(clusterId)) {
      asked.add(clusterId)
      void load(clusterId)
    }
    return byCluster.get(clusterId) ?? []
  }

  /** Names a revision, or gives it another name. An empty name removes it. */
  function setName(clusterId: bigint, { revision, name }: Bookmark): void {
    const others = bookmarksOf(clusterId).filter((one) => one.revision !== revision)
    const text = name.trim().slice(0, nameUnitsMax)
    const added = text === '' || others.length >= bookmarksMax ? [] : [{ revision, name: text }]
    const next = [...others, ...added].sort((left, right) => left.revision - right.revision)
    byCluster.set(clusterId, next)
    void pageStateApi.save(stateName(clusterId), JSON.stringify(next))
  }

  async function load(clusterId: bigint): Promise<void> {
    const text = await pageStateApi.load(stateName(clusterId))
    const parsed = bookmarksSchema.safeParse(parseJson(text))
    // What was named while the file was read is newer.
    if (parsed.success && !byCluster.has(clusterId)) byCluster.set(clusterId, parsed.data)
  }

  return { bookmarksOf, setName }
})

function stateName(clusterId: bigint): string {
  return `bookmarks.${idText(clusterId)}`
}

/** Bookmarks that cannot be read are lost, as any other state of the page may be. */
function parseJson(text: string | null): unknown {
  if (text === null) return []
  try {
    return JSON.parse(text)
  } catch (failure) {
    if (!(failure instanceof SyntaxError)) throw failure
    return []
  }
}
