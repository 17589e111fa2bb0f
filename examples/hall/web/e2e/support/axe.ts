import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What breaks WCAG 2.2 A and AA on the page as it is, a line for each place. */
export async function violations(page: Page): Promise<string[]> {
  // Evaluated, not added as an element: the page's policy lets no such script run.
  await page.evaluate(source)
  const results = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import('axe-core') }
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    // Menus float above all landmarks.
    const rules = { region: { enabled: false } }
    return axe.run(document, { runOnly: { type: 'tag', values: tags }, rules }) as Promise<AxeResults>
  })
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 200)} (${node.failureSummary?.split('\n')[1]?.trim()})`),
  )
}
