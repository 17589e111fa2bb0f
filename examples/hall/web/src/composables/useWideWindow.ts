import { onBeforeUnmount, ref } from 'vue'

/** The least width at which the ways through the page stand beside it, and not below; the styles say the same. */
export const NAV_BESIDE_PIXELS = 721

/** Whether the window has room for something beside the content. */
export function useWideWindow(leastPixels: number) {
  const query = window.matchMedia(`(min-width: ${leastPixels}px)`)
  const wide = ref(query.matches)
  const look = () => (wide.value = query.matches)
  query.addEventListener('change', look)
  onBeforeUnmount(() => query.removeEventListener('change', look))
  return wide
}
