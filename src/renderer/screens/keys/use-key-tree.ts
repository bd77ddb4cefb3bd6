/** The tree that belongs to a browser, kept current: read again when keys come and go, open at the folder that the list shows. */

import { computed, onScopeDispose, shallowRef, watch } from 'vue'
import type { ComputedRef, Ref, ShallowRef } from 'vue'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import type { ListHandle } from '../../components/list/list-handle.ts'
import { keyText, sameBytes } from '../../format/bytes-text.ts'
import { isCompacted, isFutureRevision, isNotPermitted } from '../../stores/failure-text.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import type { KeyTree, TreeRow } from '../../stores/key-tree.ts'
import { useKeyTreeStore } from '../../stores/key-trees.ts'
import { useSeparatorStore } from '../../stores/separators.ts'

/** Keys come and go under the watch of the list; the folders follow a little later. */
const refreshMs = 3_000

/** Whose tree it is. */
export interface KeyTreeParts {
  readonly browser: () => KeyBrowser
  readonly connection: () => ConnectionInfo
  readonly tabId: () => string
}

/** The tree and its visible rows. */
export function useKeyTree({ browser, connection, tabId }: KeyTreeParts): {
  readonly tree: ShallowRef<KeyTree>
  readonly rows: ComputedRef<readonly TreeRow[]>
} {
  const trees = useKeyTreeStore()
  const separators = useSeparatorStore()
  const tree = shallowRef(findTree())
  const rows = computed(() => tree.value.rows())

  function findTree(): KeyTree {
    const separator = separators.separatorOf(connection().id)
    const revision = browser().atRevision.value
    const connectionId = connection().id
    // The rows of the list are what is waited for; the tree makes a large etcd count all of its keys once more.
    const after = browser().whenRead()
    if (revision === 0) return trees.treeOf(connectionId, separator, after)
    return trees.pastTreeOf(tabId(), { connectionId, separator, revision }, after)
  }

  // Getting a tree reads it, which a computed value must not do.
  watch(
    () => [connection().id, separators.separatorOf(connection().id), browser().atRevision.value],
    () => {
      tree.value = findTree()
    },
  )

  let timer: ReturnType<typeof setTimeout> | undefined
  watch(
    () => browser().total.value,
    () => {
      clearTimeout(timer)
      if (browser().atRevision.value === 0)
        timer = setTimeout(() => void tree.value.refreshQuietly(), refreshMs)
    },
  )
  onScopeDispose(() => {
    clearTimeout(timer)
  })

  watch(
    () => connection().state,
    (state) => {
      const hasFailed = tree.value.error.value !== undefined
      if (hasFailed && (state === 'ready' || state === 'degraded')) void tree.value.refresh()
    },
  )

  return { tree, rows }
}

/**
 * Why there are no folders to be shown. `denied`: not even the first of them may be read. `gone`: the revision that is asked
 * for cannot be read, and folders of another one would not be its own.
 */
export function useTreeObstacle(
  tree: ShallowRef<KeyTree>,
  isPast: Ref<boolean>,
): ComputedRef<'denied' | 'gone' | undefined> {
  return computed(() => {
    const { error, levels } = tree.value
    const root = levels.value.get('')
    if (isPast.value && (isCompacted(error.value) || isFutureRevision(error.value))) return 'gone'
    const isUnread = root?.status === 'failed' && root.nodes.length === 0
    return isUnread && isNotPermitted(error.value) ? 'denied' : undefined
  })
}

/** Counts the folders that are in sight, and reads what follows there. */
export function useTreeSight(
  tree: ShallowRef<KeyTree>,
  rows: Ref<readonly TreeRow[]>,
  sight: Ref<readonly [number, number]>,
): void {
  watch(
    () => [sight.value, rows.value],
    () => {
      const shown = rows.value.slice(sight.value[0], sight.value[1] + 1)
      tree.value.want(shown)
      for (const row of shown)
        if (row.kind === 'more' && !row.isFailed) void tree.value.loadMore(row)
    },
  )
}

/** Opens the folder that the list shows, whoever chose it, and scrolls to it when its row is there. */
export function useTreeReveal(parts: {
  readonly tree: ShallowRef<KeyTree>
  readonly browser: () => KeyBrowser
  readonly rows: Ref<readonly TreeRow[]>
  readonly list: Ref<ListHandle | null>
}): void {
  const { tree, browser, rows, list } = parts
  /** Opened, and to be scrolled to. */
  const wanted = shallowRef<Uint8Array>()

  async function reveal(prefix: Uint8Array): Promise<void> {
    wanted.value = undefined
    await tree.value.reveal(prefix)
    if (sameBytes(prefix, browser().prefix)) wanted.value = prefix
  }

  watch(
    () => [tree.value, keyText(browser().prefix)],
    () => void reveal(browser().prefix),
    { immediate: true },
  )
  watch(
    () => [rows.value, wanted.value] as const,
    ([shown, prefix]) => {
      if (prefix === undefined) return
      const at = shown.findIndex((row) => row.kind === 'folder' && sameBytes(row.path, prefix))
      if (at < 0) return
      wanted.value = undefined
      list.value?.reveal(at)
    },
    { flush: 'post' },
  )
}
