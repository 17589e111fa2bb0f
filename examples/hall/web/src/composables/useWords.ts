import { useI18n } from 'vue-i18n'

import { Problem } from '@/api/problem'
import { words } from '@/api/words'
import { useNotices } from '@/stores/notices'

/** Problems in words, and as notices. */
export function useWords() {
  const { t, te } = useI18n()
  const notices = useNotices()
  const say = (thrown: unknown) => words(Problem.from(thrown), t as never, te as never)

  /** Does something; what goes wrong becomes a notice. Tells whether it was done. */
  async function attempt(action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action()
      return true
    } catch (thrown) {
      // The way to signing in again is taken elsewhere.
      if (Problem.from(thrown).status !== 401) notices.say(say(thrown), { tone: 'error' })
      return false
    }
  }

  return { words: say, attempt }
}
