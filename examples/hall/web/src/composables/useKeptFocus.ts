import { nextTick, onBeforeUnmount, onBeforeUpdate, onUpdated, type Ref } from 'vue'

/**
 * Keeps the focus near where it was when the control that had it goes: at the next control of `element`, else at
 * `element` itself, and where that goes too, at what is around it. Both must take the focus.
 */
export function useKeptFocus(element: Ref<HTMLElement | undefined>, around: string) {
  let hadFocus = false
  const has = () => element.value?.contains(document.activeElement) ?? false

  onBeforeUpdate(() => (hadFocus = has()))
  onUpdated(() => {
    if (!hadFocus || has()) return
    const control = element.value?.querySelector<HTMLElement>('button')
    ;(control ?? element.value)?.focus({ preventScroll: true })
  })
  onBeforeUnmount(() => {
    if (!has()) return
    const place = element.value?.parentElement?.closest<HTMLElement>(around)
    nextTick(() => place?.focus({ preventScroll: true }))
  })
}
