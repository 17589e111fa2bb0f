import { ref, watch } from 'vue'

import { usePages } from './usePages'

interface Page<T> {
  items: T[]
  next?: string | null
}

/** So long nobody has typed before the search is asked for. */
const TYPING_MS = 250

/** A list of the hall's that is read page by page and can be searched; what is typed is looked for after a moment. */
export function useSearched<T extends { id: string }>(
  read: (search: string | undefined, after?: string) => Promise<Page<T>>,
) {
  const search = ref('')
  const pages = usePages<T>((after) => read(search.value.trim() || undefined, after))

  watch(search, (_, __, onCleanup) => {
    const timer = window.setTimeout(pages.open, TYPING_MS)
    onCleanup(() => window.clearTimeout(timer))
  })

  return { ...pages, search }
}
