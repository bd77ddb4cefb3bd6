/**
 * Key trees: one per connection for the head, which outlives its tabs so that a folder stays open, and one for each tab that
 * reads an older revision.
 */

import { defineStore } from 'pinia'
import { shallowReactive, watch } from 'vue'
import { KeyTree } from './key-tree.ts'
import { useTabStore } from './tabs.ts'

export const useKeyTreeStore = defineStore('keyTrees', () => {
  const trees = shallowReactive(new Map<string, KeyTree>())
  const pastTrees = shallowReactive(new Map<string, KeyTree>())
  /** Folders that were open at the last start, by connection, until its tree is made. */
  const expandedBefore = new Map<string, readonly string[]>()

  /**
   * The tree of a connection; made at the first call and whenever the separator changes, and its root read once `after` is
   * settled.
   */
  function treeOf(connectionId: string, separator: string, after: Promise<void>): KeyTree {
    const known = trees.get(connectionId)
    if (known?.separator === separator) return known
    const tree = new KeyTree(connectionId, separator)
    trees.set(connectionId, tree)
    void tree.loadOpenPaths(expandedBefore.get(connectionId) ?? [], after)
    expandedBefore.delete(connectionId)
    return tree
  }

  /** Opens folders once the tree of their connection is made. */
  function expandLater(kept: {
    readonly connectionId: string
    readonly expanded: readonly string[]
  }): void {
    expandedBefore.set(kept.connectionId, kept.expanded)
  }

  /**
   * The tree of a tab that reads an older revision; it begins with the folders open that are open at the head. Read once
   * `after` is settled.
   */
  function pastTreeOf(
    tabId: string,
    at: { readonly connectionId: string; readonly separator: string; readonly revision: number },
    after: Promise<void>,
  ): KeyTree {
    const known = pastTrees.get(tabId)
    const isSame = known?.connectionId === at.connectionId && known.separator === at.separator
    if (known !== undefined && isSame) {
      void known.setRevision(at.revision, after)
      return known
    }
    const tree = new KeyTree(at.connectionId, at.separator, at.revision)
    pastTrees.set(tabId, tree)
    const head = trees.get(at.connectionId)
    void tree.loadOpen(head?.separator === at.separator ? head : undefined, after)
    return tree
  }

  /** Reads the open folders of a tab anew. */
  function refresh(at: {
    readonly tabId: string
    readonly connectionId: string
    readonly isPast: boolean
  }): void {
    const tree = at.isPast ? pastTrees.get(at.tabId) : trees.get(at.connectionId)
    void tree?.refresh()
  }

  const tabs = useTabStore()
  watch(
    () => tabs.tabs,
    (open) => {
      for (const tabId of pastTrees.keys())
        if (!open.some((tab) => tab.id === tabId)) pastTrees.delete(tabId)
    },
  )

  return { trees, treeOf, pastTreeOf, expandLater, refresh }
})
