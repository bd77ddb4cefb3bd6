/** What the tests of the window do with its page, whatever their part. */

import type { Page } from 'playwright-core'

/** Waits until every colour has arrived: one on its way from one theme to the other has no contrast to be judged. */
export async function settleColours(page: Page): Promise<void> {
  await page.evaluate(
    `Promise.all(
      document
        .getAnimations()
        .filter((one) => one instanceof CSSTransition)
        .map((one) => one.finished.catch(() => undefined)),
    )`,
  )
}
