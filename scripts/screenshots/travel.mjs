/** Time travel: an older revision of a prefix, with what changed since. */
export async function take({ page, openPrefix, shot }) {
  await openPrefix('/app/checkout/')
  await shot('travel-head', { widths: [1280], themes: ['light'] })
  await page.keyboard.press('Escape')
}
