import createClient from 'openapi-fetch'

import { root } from '@/hall'

import type { paths } from '../../generated/api'
import { Problem } from './problem'

/** The hall's API, with the types of its own document. Refusals are thrown as `Problem`. */
export const api = createClient<paths>({ baseUrl: root.href })

let onSessionEnd: () => void = () => {}

/** Sets what happens when the hall no longer knows who asks. */
export function whenSessionEnds(action: () => void): void {
  onSessionEnd = action
}

/** Tells that the hall no longer knows who asks, for requests that do not go through `api`. */
export function sessionEnded(): void {
  onSessionEnd()
}

/** The body of an answer that has one. */
export async function ask<R extends { data?: unknown }>(answer: Promise<R>): Promise<NonNullable<R['data']>> {
  const { data } = await answer
  if (data == null) throw new Problem({ kind: 'unknown', detail: 'the answer is empty' })
  return data as NonNullable<R['data']>
}

/** Whether an answer was meant for somebody who is signed in. Signing in itself and visits of shares are for anybody. */
function isForAccounts(path: string): boolean {
  return path.startsWith('/api/') && !path.startsWith('/api/v1/session')
}

api.use({
  async onResponse({ response, schemaPath }) {
    if (response.ok) return
    const problem = await Problem.of(response)
    if (problem.status === 401 && isForAccounts(schemaPath)) onSessionEnd()
    throw problem
  },
  onError: () => Problem.unreachable(),
})
