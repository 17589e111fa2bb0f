import type { Problem } from './problem'

type Translate = (key: string, values?: Record<string, unknown>) => string
type Has = (key: string) => boolean

/** A problem in words for people, in their language: by what is wrong, by the field that is wrong, else by its number. */
export function words(problem: Problem, t: Translate, te: Has): string {
  const values = { seconds: problem.retryAfterSeconds ?? 60, request: problem.requestId ?? '-' }
  const candidates = [
    problem.kind === 'invalid_input' && problem.field ? `problem.field.${problem.field}` : '',
    `problem.kind.${problem.kind}`,
    `problem.status.${problem.status}`,
  ]
  const key = candidates.find((candidate) => candidate && te(candidate))
  return t(key ?? 'problem.unknown', values)
}
