import { computed, ref, shallowRef, watch } from 'vue'

import { api, ask } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Account } from '@/api/types'

const PAGE_ITEMS = 50

/** So long nobody has typed before the search is asked for. */
const TYPING_MS = 250

/** The accounts of the hall, by user name, page by page. */
export function usePeople() {
  const people = shallowRef<Account[]>([])
  const next = ref<string | null>()
  const search = ref('')
  const loading = ref(false)
  const problem = shallowRef<Problem>()
  const isEmpty = computed(() => next.value === null && people.value.length === 0)
  /** Counts what was asked for: late answers to an earlier question are dropped. */
  let asked = 0

  async function read(after?: string) {
    const mine = ++asked
    loading.value = true
    problem.value = undefined
    try {
      const query = { search: search.value.trim() || undefined, limit: PAGE_ITEMS, after }
      const page = await ask(api.GET('/api/v1/admin/accounts', { params: { query } }))
      if (mine !== asked) return
      people.value = after ? [...people.value, ...page.items] : page.items
      next.value = page.next ?? null
    } catch (thrown) {
      if (mine === asked) problem.value = Problem.from(thrown)
    } finally {
      if (mine === asked) loading.value = false
    }
  }

  /** Shows an account as it is now. */
  function put(account: Account) {
    people.value = people.value.map((known) => (known.id === account.id ? account : known))
  }

  watch(search, (_, __, onCleanup) => {
    const timer = window.setTimeout(read, TYPING_MS)
    onCleanup(() => window.clearTimeout(timer))
  })
  read()

  return { people, next, search, loading, problem, isEmpty, read, put }
}
