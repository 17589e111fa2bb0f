import type { Page } from 'playwright-core'

/** Drops a folder of this machine on a place of the page, as a file manager would. */
export async function dropFolder(page: Page, folder: string, at: { x: number; y: number }): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  const data = { items: [], files: [folder], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await devtools.send('Input.dispatchDragEvent', { type, ...at, data })
  }
  await devtools.detach()
}
