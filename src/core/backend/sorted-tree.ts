import imported from 'sorted-btree'

/** Values sorted by name: a B+ tree whose clones share nodes with it until one of them changes. */
export type SortedTree<Value> = imported<string, Value>

// The package is CommonJS with a `default` export: Node hands over the module, bundlers and test runners the export.
const Tree = ('default' in imported ? imported.default : imported) as typeof imported

/** An empty tree. Names hold one UTF-16 unit per byte, so that their order is byte order. */
export function sortedTree<Value>(): SortedTree<Value> {
  return new Tree<string, Value>(undefined, compareNames)
}

/** The package's own comparison copes with mixed types and is slower for it. */
function compareNames(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
