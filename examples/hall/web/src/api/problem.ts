import type { ProblemDocument } from './types'

/** Why the hall did not do what was asked; `words` says it to people. */
export class Problem extends Error {
  readonly status: number
  readonly kind: string
  readonly field: string | undefined
  readonly challenge: string | undefined
  readonly requestId: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(document: Partial<ProblemDocument>, retryAfterSeconds?: number) {
    super(document.detail ?? document.title ?? 'no answer')
    this.name = 'Problem'
    this.status = document.status ?? 0
    this.kind = document.kind ?? 'unknown'
    this.field = document.field ?? undefined
    this.challenge = document.challenge ?? undefined
    this.requestId = document.request_id
    this.retryAfterSeconds = retryAfterSeconds
  }

  /** The hall could not be reached. */
  static unreachable(): Problem {
    return new Problem({ kind: 'unreachable', detail: 'the hall could not be reached' })
  }

  /** What a refusing answer says. A proxy before the hall may answer in its own words. */
  static async of(response: Response): Promise<Problem> {
    const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
    const document = await response.json().catch(() => ({}))
    return new Problem(
      { ...document, status: response.status },
      Number.isFinite(retryAfter) ? retryAfter : undefined,
    )
  }

  /** Anything that was thrown, as a problem. */
  static from(thrown: unknown): Problem {
    if (thrown instanceof Problem) return thrown
    return new Problem({ kind: 'unknown', detail: thrown instanceof Error ? thrown.message : String(thrown) })
  }
}
