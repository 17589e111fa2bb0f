import type { Page } from 'playwright-core'

/** Answers for the lists of all folders of a page: so many files, page by page as the hall gives them. */
export async function pretendLongFolder(page: Page, names: string[]): Promise<void> {
  await page.route('**/api/v1/nodes/*/children?*', async (route) => {
    const query = new URL(route.request().url()).searchParams
    // The tree asks for folders alone: there are none.
    if (query.get('category') === 'folder') return route.fulfill({ json: { items: [], next: null } })
    const [from, limit] = [Number(query.get('after') ?? 0), Number(query.get('limit') ?? 200)]
    const items = names.slice(from, from + limit).map((name, index) => entry(name, from + index))
    const next = from + limit < names.length ? `${from + limit}` : null
    await route.fulfill({ json: { items, next } })
  })
}

function entry(name: string, index: number) {
  const time = new Date(Date.UTC(2026, 0, 1) + index * 60_000).toISOString()
  return {
    id: `n${index}`.padStart(26, '0'),
    drive: 'd',
    parent: 'p',
    kind: 'file',
    name,
    size: (index * 7919) % 10_000_000,
    mime: 'application/pdf',
    category: 'document',
    version: 1,
    etag: `"${'0'.repeat(40)}${index}"`,
    sha256: `${index}`.padStart(64, '0'),
    created: time,
    modified: time,
  }
}
