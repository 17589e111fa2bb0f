import { onBeforeUnmount, ref } from 'vue'

/** Whether the window has room for something beside the list. */
export function useWideWindow(leastPixels: number) {
  const query = window.matchMedia(`(min-width: ${leastPixels}px)`)
  const wide = ref(query.matches)
  const look = () => (wide.value = query.matches)
  query.addEventListener('change', look)
  onBeforeUnmount(() => query.removeEventListener('change', look))
  return wide
}
