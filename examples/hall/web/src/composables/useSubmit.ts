import { computed, ref } from 'vue'

import { Problem } from '@/api/problem'

import { useWords } from './useWords'

/** The state of a form: busy, and what was wrong with which field. */
export function useSubmit(fields: readonly string[]) {
  const { words } = useWords()
  const busy = ref(false)
  const problem = ref<Problem>()

  /** What is wrong with a field, in words. */
  const fieldProblem = (field: string) => (problem.value?.field === field ? words(problem.value) : undefined)
  /** What is wrong with the whole. */
  const formProblem = computed(() => {
    const current = problem.value
    return current && !(current.field && fields.includes(current.field)) ? words(current) : undefined
  })

  async function submit(action: () => Promise<void>) {
    if (busy.value) return
    busy.value = true
    problem.value = undefined
    try {
      await action()
    } catch (thrown) {
      problem.value = Problem.from(thrown)
    } finally {
      busy.value = false
    }
  }

  return { busy, problem, fieldProblem, formProblem, submit }
}
