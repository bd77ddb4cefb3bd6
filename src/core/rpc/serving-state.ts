/** Whether the health service says that calls are served. */
export class ServingState {
  private readonly followsDefragmentation: boolean
  private defragmentationCount = 0
  private readonly listeners = new Set<() => void>()

  /** @param followsDefragmentation  nothing counts as served while the database is defragmented */
  constructor(followsDefragmentation: boolean) {
    this.followsDefragmentation = followsDefragmentation
  }

  get isServing(): boolean {
    return this.defragmentationCount === 0
  }

  /** @returns what ends the listening */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Does this as a defragmentation. @throws what it throws */
  async whileDefragmenting(defragment: () => Promise<void>): Promise<void> {
    if (!this.followsDefragmentation) return defragment()
    this.add(1)
    try {
      await defragment()
    } finally {
      this.add(-1)
    }
  }

  private add(difference: number): void {
    const wasServing = this.isServing
    this.defragmentationCount += difference
    if (wasServing === this.isServing) return
    for (const listener of this.listeners) listener()
  }
}
