interface Page<T> {
  items: T[]
  next?: string | null
}

/** Most items that the hall puts on a page. */
const PAGE_ITEMS = 1000

/** All items of a list of the hall's, page by page. */
export async function allPages<T>(
  read: (query: { limit: number; after?: string }) => Promise<Page<T>>,
): Promise<T[]> {
  const found: T[] = []
  let after: string | undefined
  do {
    const page = await read({ limit: PAGE_ITEMS, after })
    found.push(...page.items)
    after = page.next ?? undefined
  } while (after)
  return found
}
