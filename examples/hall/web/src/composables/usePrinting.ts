import { onBeforeUnmount, ref } from 'vue'

/** Whether the page is being printed. What depends on it is in the document before the browser lays out the sheets. */
export function usePrinting() {
  const printing = ref(false)
  const begin = () => (printing.value = true)
  const end = () => (printing.value = false)
  window.addEventListener('beforeprint', begin)
  window.addEventListener('afterprint', end)
  onBeforeUnmount(() => {
    window.removeEventListener('beforeprint', begin)
    window.removeEventListener('afterprint', end)
  })
  return printing
}
