/** What the tests of the window do with its page, whatever their part. */

import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import type { PageWindow } from './launch.ts'

declare const window: PageWindow

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

/** What axe finds in both themes, each with its place. The editor is somebody else's. */
export async function findViolations(page: Page): Promise<readonly string[]> {
  const found: string[] = []
  for (const theme of ['dark', 'light'] as const) {
    await page.evaluate((wanted) => window.bridge.settings.update({ theme: wanted }), theme)
    await page.locator(`html[data-theme=${theme}]`).waitFor({ state: 'attached' })
    await settleColours(page)
    const { violations } = await new AxeBuilder({ page })
      .setLegacyMode()
      .exclude('.monaco-editor')
      .analyze()
    for (const { id, nodes } of violations)
      found.push(...nodes.map((node) => `${theme}: ${id}: ${node.target.join(' ')}`))
  }
  return found
}
