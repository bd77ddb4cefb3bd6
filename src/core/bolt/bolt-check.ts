import { compareBytes, copyBytes } from '../base/bytes.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import {
  pageFlags,
  pageHeaderSizeBytes,
  readPageHeader,
  readUint64Le,
  viewOf,
} from './bolt-format.ts'
import type { BoltFile } from './bolt-reader.ts'
import { PageSet } from './page-set.ts'

/** More would only repeat what is known: the file is damaged. */
const problemCountMax = 100
/** A count of this much says that the true one stands in front of the numbers. */
const largeFreelistCount = 0xffff

/**
 * Whether the file holds together: every page below the last is a part of exactly one tree or free, every page is well
 * formed, every key is in its place.
 *
 * @returns  what is wrong, a sentence each; nothing where all is well
 * @see bbolt's own check, which etcd's tools run before they trust a snapshot
 */
export async function checkBoltFile(file: BoltFile): Promise<readonly string[]> {
  const check = new Check(file)
  await check.run()
  return check.problems
}

class Check {
  readonly problems: string[] = []
  private readonly file: BoltFile
  private readonly reached: PageSet
  private readonly free: PageSet

  constructor(file: BoltFile) {
    this.file = file
    this.reached = new PageSet(file.meta.pageCount)
    this.free = new PageSet(file.meta.pageCount)
  }

  async run(): Promise<void> {
    const { freelistPage, pageCount, rootPage } = this.file.meta
    this.reached.add(0)
    this.reached.add(1)
    if (freelistPage !== undefined) await this.guard(() => this.readFreelist(freelistPage))
    await this.guard(() => this.walk(rootPage))
    await this.guard(async () => {
      for (const bucket of await this.file.buckets()) {
        if (bucket.root.kind === 'page') await this.walk(bucket.root.page)
        // Reading it is the whole check of a bucket that is kept inside its record.
        else await this.guard(() => this.file.get(bucket, bucket.name))
      }
    })
    if (freelistPage === undefined || this.problems.length > 0) return
    for (let page = 2; page < pageCount; page++) {
      const isFree = this.free.has(page)
      if (this.reached.has(page)) {
        if (isFree) this.report(`page ${page}: reachable freed`)
      } else if (!isFree) this.report(`page ${page}: unreachable unfreed`)
    }
  }

  private async readFreelist(id: number): Promise<void> {
    const bytes = await this.file.pageBytes(id)
    const header = readPageHeader(bytes)
    if (header.flags !== pageFlags.freelist) {
      this.report(`page ${id}: it is not the free list`)
      return
    }
    this.reach(id, bytes.length / this.file.meta.pageSizeBytes)
    const view = viewOf(bytes)
    let start = pageHeaderSizeBytes
    let { count } = header
    if (count === largeFreelistCount) {
      count = readUint64Le(view, start)
      start += 8
    }
    if (!(start + count * 8 <= bytes.length)) {
      this.report(`page ${id}: the free list does not fit into it`)
      return
    }
    for (let position = 0; position < count; position++) {
      const page = readUint64Le(view, start + position * 8)
      if (!(page >= 2 && page < this.file.meta.pageCount)) {
        this.report(`page ${page}: out of bounds: ${this.file.meta.pageCount}`)
      } else if (!this.free.add(page)) this.report(`page ${page}: already freed`)
    }
  }

  /** Every page of one tree in key order; each is read once, whatever the pages lead to. */
  private async walk(root: number): Promise<void> {
    const waiting = [root]
    let lastKey: Uint8Array | undefined
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (this.problems.length >= problemCountMax) return
      const reachedId = id
      await this.guard(async () => {
        const { content, pageCount } = await this.file.page(reachedId)
        if (!this.reach(reachedId, pageCount)) return
        if (content.kind === 'branch') {
          for (const child of [...content.children].reverse()) waiting.push(child.page)
          return
        }
        const first = content.records[0]?.key
        if (first === undefined) return
        if (lastKey !== undefined && compareBytes(lastKey, first) >= 0) {
          this.report(`page ${reachedId}: its keys are not behind those of the page before`)
        }
        lastKey = copyBytes(content.records.at(-1)?.key ?? first)
      })
    }
  }

  private reach(id: number, pageCount: number): boolean {
    for (let page = id; page < id + pageCount; page++) {
      if (this.reached.add(page)) continue
      this.report(`page ${page}: multiple references`)
      return false
    }
    return true
  }

  private async guard(part: () => Promise<unknown>): Promise<void> {
    try {
      await part()
    } catch (error) {
      if (!(error instanceof StorageFault)) throw error
      this.report(error.message.replace(`${this.file.path}: `, ''))
    }
  }

  private report(problem: string): void {
    if (this.problems.length < problemCountMax && !this.problems.includes(problem)) {
      this.problems.push(problem)
    }
  }
}
