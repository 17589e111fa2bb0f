import { useI18n } from 'vue-i18n'

import { useNotices } from '@/stores/notices'

/** Puts text where people paste from, and says so. */
export function useCopy() {
  const { t } = useI18n()
  const notices = useNotices()

  return async function copy(text: string): Promise<void> {
    const done = await write(text)
    notices.say(t(done ? 'shares.copied' : 'shares.notCopied'), done ? {} : { tone: 'error' })
  }
}

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Browsers have no clipboard for pages without TLS, and may refuse it: then as it was done before there was one.
    return writeBySelection(text)
  }
}

function writeBySelection(text: string): boolean {
  const focused = document.activeElement
  const field = document.createElement('textarea')
  field.value = text
  field.className = 'heard'
  // Within an open dialog, which keeps the focus to itself.
  const home = focused?.parentElement ?? document.body
  home.append(field)
  field.select()
  const done = document.execCommand('copy')
  field.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return done
}
