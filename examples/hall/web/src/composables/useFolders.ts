import { api, ask } from '@/api/client'
import type { Node } from '@/api/types'

const PAGE_ITEMS = 1000

/** All folders in a folder, by name. */
export async function foldersIn(id: string): Promise<Node[]> {
  const found: Node[] = []
  let after: string | null | undefined
  do {
    const query = { category: 'folder', limit: PAGE_ITEMS, after: after ?? undefined }
    const page = await ask(api.GET('/api/v1/nodes/{id}/children', { params: { path: { id }, query } }))
    found.push(...page.items)
    after = page.next
  } while (after)
  return found
}
