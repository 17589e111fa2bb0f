import { DetailedError, type HttpRequest, type HttpResponse } from 'tus-js-client'

import { Problem } from '@/api/problem'

/** After each of these pauses a lost connection is tried again: a hall that restarts or a dead zone is waited for. */
export const RETRY_DELAYS_MS = [0, 500, 1000, 2000, 4000, 8000, ...Array<number>(40).fill(15_000)]

/** Why an upload stopped. */
export function problemOf(error: Error): Problem {
  if (!(error instanceof DetailedError)) return Problem.from(error)
  if (error.causingError instanceof Problem) return error.causingError
  return error.originalResponse ? refusal(error.originalResponse) : Problem.unreachable()
}

/** Whether it may go on by itself: the hall or the way to it is at fault, not what was asked. */
export function isPassing({ status, kind }: Problem): boolean {
  if (status === 409) return kind !== 'exists'
  return kind === 'unreachable' || status === 423 || status === 429 || (status >= 500 && status !== 507)
}

/**
 * tus-js-client begins anew when it is not told how far an upload is. Only an upload that is gone is begun anew: for a
 * session that ended or a hall that is not ready, what is there is waited for.
 */
export function keepUpload(request: HttpRequest, response: HttpResponse): void {
  const status = response.getStatus()
  if (request.getMethod() === 'HEAD' && status >= 400 && status !== 404 && status !== 410) {
    throw refusal(response)
  }
}

function refusal(response: HttpResponse): Problem {
  try {
    return new Problem({ ...JSON.parse(response.getBody()), status: response.getStatus() })
  } catch {
    return new Problem({ status: response.getStatus() })
  }
}
