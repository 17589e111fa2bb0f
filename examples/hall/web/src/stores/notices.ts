import { defineStore } from 'pinia'
import { ref } from 'vue'

export interface Notice {
  id: number
  tone: 'info' | 'error'
  text: string
  action?: { label: string; run: () => void | Promise<void> }
  /** The ids of what the action would act on. */
  about?: readonly string[]
}

/** How long a notice stays: long enough to read it twice and reach its button. */
const LASTS_MS = 8000

/** Short messages at the edge of the page. */
export const useNotices = defineStore('notices', () => {
  const notices = ref<Notice[]>([])
  let last = 0

  function dismiss(id: number) {
    notices.value = notices.value.filter((notice) => notice.id !== id)
  }

  function say(text: string, more: Partial<Pick<Notice, 'tone' | 'action' | 'about'>> = {}) {
    const notice: Notice = { id: ++last, tone: 'info', text, ...more }
    notices.value = [...notices.value.slice(-3), notice]
    window.setTimeout(() => dismiss(notice.id), LASTS_MS)
  }

  /** Something was done about this otherwise: nothing offers to do it any more. */
  function settle(id: string) {
    notices.value = notices.value.filter(({ about }) => !about?.includes(id))
  }

  return { notices, say, dismiss, settle }
})
