import { computed, ref, shallowRef, watch, type Ref } from 'vue'

import { api, ask } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Node } from '@/api/types'
import { useTransfers } from '@/stores/transfers'

export const CATEGORIES = ['document', 'image', 'video', 'audio', 'other'] as const
export type Category = (typeof CATEGORIES)[number]

export type SortKey = 'name' | 'size' | 'modified'

const PAGE_ITEMS = 200
const MAX_PAGE_ITEMS = 1000

/** After an upload arrived, more usually follow: the folder is read again once for all of them. */
const SETTLE_MS = 400
/** A list that takes long to read is read the more rarely: it rests so many times as long. */
const REFRESH_PAUSES = 10

/** A folder that is looked at: its place and its entries, page by page. */
export function useFolder(id: Ref<string | undefined>) {
  const folder = shallowRef<Node>()
  const ancestors = shallowRef<Node[]>([])
  const items = shallowRef<Node[]>([])
  const next = ref<string | null>()
  const loading = ref(false)
  /** How many entries were read, while all are. */
  const reading = ref<number>()
  const problem = shallowRef<Problem>()
  const sort = ref<SortKey>('name')
  const order = ref<'asc' | 'desc'>('asc')
  const category = ref<Category | ''>('')
  const complete = computed(() => next.value === null)
  const transfers = useTransfers()
  /** Counts what was asked for: late answers to an earlier question are dropped. */
  let asked = 0

  const page = (folderId: string, limit: number, after?: string) =>
    ask(
      api.GET('/api/v1/nodes/{id}/children', {
        params: {
          path: { id: folderId },
          query: {
            sort: sort.value,
            order: order.value,
            category: category.value || undefined,
            limit,
            after,
          },
        },
      }),
    )

  async function run(action: (isCurrent: () => boolean) => Promise<void>) {
    const mine = ++asked
    const isCurrent = () => mine === asked
    loading.value = true
    reading.value = undefined
    problem.value = undefined
    try {
      await action(isCurrent)
    } catch (thrown) {
      if (isCurrent()) problem.value = Problem.from(thrown)
    } finally {
      if (isCurrent()) loading.value = false
    }
  }

  /** Opens the folder from its beginning. */
  async function open() {
    const folderId = id.value
    items.value = []
    next.value = undefined
    if (!folderId) return
    await run(async (isCurrent) => {
      const [node, first] = await Promise.all([readNode(folderId), page(folderId, PAGE_ITEMS)])
      if (!isCurrent()) return
      folder.value = node
      items.value = first.items
      next.value = first.next ?? null
      const above = await readAncestors(node)
      if (isCurrent()) ancestors.value = above
    })
  }

  /** Reads the next page, where there is one. */
  async function loadMore() {
    const folderId = id.value
    const after = next.value
    if (!folderId || !after || loading.value) return
    await run(async (isCurrent) => {
      const more = await page(folderId, MAX_PAGE_ITEMS, after)
      if (!isCurrent()) return
      items.value = [...items.value, ...more.items]
      next.value = more.next ?? null
    })
  }

  /** Reads all that is left, or until so many are there. What was read counts also where the rest is refused. */
  async function readAll(most = Infinity) {
    const folderId = id.value
    if (!folderId || !next.value) return
    await run(async (isCurrent) => {
      // Shown once, at the end: a long list has a price each time it grows.
      const read = [...items.value]
      let after = next.value
      try {
        while (after && read.length < most) {
          reading.value = read.length
          const more = await page(folderId, MAX_PAGE_ITEMS, after)
          if (!isCurrent()) return
          read.push(...more.items)
          after = more.next ?? null
        }
      } finally {
        if (isCurrent()) {
          items.value = read
          next.value = after
          reading.value = undefined
        }
      }
    })
  }

  /** Reads again what is shown, keeping the place. */
  async function refresh() {
    const folderId = id.value
    if (!folderId) return
    const wanted = Math.max(items.value.length + 1, PAGE_ITEMS)
    await run(async (isCurrent) => {
      const read: Node[] = []
      let after: string | null | undefined
      do {
        const more = await page(folderId, Math.min(wanted - read.length, MAX_PAGE_ITEMS), after ?? undefined)
        read.push(...more.items)
        after = more.next ?? null
      } while (after && read.length < wanted)
      if (!isCurrent()) return
      items.value = read
      next.value = after
    })
  }

  function sortBy(key: SortKey) {
    const flips = sort.value === key
    order.value = flips && order.value === 'asc' ? 'desc' : 'asc'
    sort.value = key
    return open()
  }

  /** Takes an entry away before the hall is asked; `refresh` brings it back. */
  function take(nodeId: string) {
    items.value = items.value.filter((node) => node.id !== nodeId)
  }

  let settle: number | undefined
  let refreshMs = 0
  watch(
    () => transfers.landed,
    (landed) => {
      if (landed?.parent !== id.value || settle !== undefined) return
      settle = window.setTimeout(
        async () => {
          settle = undefined
          const began = performance.now()
          await refresh()
          refreshMs = performance.now() - began
        },
        Math.max(SETTLE_MS, REFRESH_PAUSES * refreshMs),
      )
    },
  )
  watch([id, category], open, { immediate: true })

  return {
    folder,
    ancestors,
    items,
    loading,
    reading,
    problem,
    complete,
    sort,
    order,
    category,
    open,
    loadMore,
    readAll,
    refresh,
    sortBy,
    take,
  }
}

async function readNode(id: string): Promise<Node> {
  return ask(api.GET('/api/v1/nodes/{id}', { params: { path: { id } } }))
}

/** The folders above, the drive's root first. */
async function readAncestors(node: Node): Promise<Node[]> {
  const above: Node[] = []
  for (let parent = node.parent; parent; parent = above[0]?.parent) {
    above.unshift(await readNode(parent))
  }
  return above
}
