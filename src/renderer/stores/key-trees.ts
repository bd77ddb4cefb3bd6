/** Key trees, one per connection. They outlive their tabs, so that a folder stays open. */

import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import { KeyTree } from './key-tree.ts'

export const useKeyTreeStore = defineStore('keyTrees', () => {
  const trees = shallowReactive(new Map<string, KeyTree>())

  /** The tree of a connection; made, and its root read, at the first call and whenever the separator changes. */
  function treeOf(connectionId: string, separator: string): KeyTree {
    const known = trees.get(connectionId)
    if (known?.separator === separator) return known
    const tree = new KeyTree(connectionId, separator)
    trees.set(connectionId, tree)
    void tree.loadRoot()
    return tree
  }

  return { trees, treeOf }
})
