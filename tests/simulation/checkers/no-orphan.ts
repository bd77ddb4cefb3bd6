import type { Report } from './checker.ts'

/** What a stopped node still holds. */
export interface Leftovers {
  readonly node: string
  readonly timerCount: number
  readonly fileHandlePaths: readonly string[]
  readonly openDatabaseCount: number
  readonly openViewCount: number
  readonly watcherCount: number
}

/** I37: after a graceful stop no timer, handle, database, view or watcher is left. */
export function checkNoOrphans(leftovers: Leftovers, report: Report): void {
  const { node, timerCount, fileHandlePaths, openDatabaseCount, openViewCount, watcherCount } =
    leftovers
  const found = [
    timerCount > 0 ? `${timerCount} timers` : '',
    fileHandlePaths.length > 0 ? `handles on ${fileHandlePaths.join(', ')}` : '',
    openDatabaseCount > 0 ? `${openDatabaseCount} open databases` : '',
    openViewCount > 0 ? `${openViewCount} open views` : '',
    watcherCount > 0 ? `${watcherCount} watchers` : '',
  ].filter((text) => text !== '')
  if (found.length > 0)
    report('I37 no orphan', `${node} has stopped and still holds ${found.join(', ')}`)
}
