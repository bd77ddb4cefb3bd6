/** One column of rows that are not loaded yet. */
export interface SkeletonCell {
  readonly isRight: boolean
  /** Width of what stands for its content; absent: that of names, which differ. */
  readonly widthPx?: number
}
