import { computed, ref, shallowRef } from 'vue'

import { Problem } from '@/api/problem'

interface Page<T> {
  items: T[]
  next?: string | null
}

/** A list of the hall's that is read page by page. */
export function usePages<T extends { id: string }>(read: (after?: string) => Promise<Page<T>>) {
  const items = shallowRef<T[]>([])
  const next = ref<string | null>()
  const loading = ref(false)
  const problem = shallowRef<Problem>()
  const isEmpty = computed(() => next.value === null && items.value.length === 0)
  /** Counts what was asked for: late answers to an earlier question are dropped. */
  let asked = 0

  async function run(after?: string) {
    const mine = ++asked
    loading.value = true
    problem.value = undefined
    try {
      const page = await read(after)
      if (mine !== asked) return
      items.value = after ? [...items.value, ...page.items] : page.items
      next.value = page.next ?? null
    } catch (thrown) {
      if (mine === asked) problem.value = Problem.from(thrown)
    } finally {
      if (mine === asked) loading.value = false
    }
  }

  /** Reads it from its beginning. */
  const open = () => run()
  /** Reads the next page. */
  const more = () => run(next.value ?? undefined)

  /** Takes an item away that is no longer there. */
  function take(id: string) {
    items.value = items.value.filter((item) => item.id !== id)
  }

  /** Shows an item as it is now. */
  function put(id: string, now: Partial<T>) {
    items.value = items.value.map((item) => (item.id === id ? { ...item, ...now } : item))
  }

  return { items, next, loading, problem, isEmpty, open, more, take, put }
}
