import type { RouteLocationNormalized, RouteLocationRaw } from 'vue-router'

import { useSession } from '@/stores/session'

/** Lets people to what is meant for them, and sends the others to sign in, and back afterwards. */
export async function guard(to: RouteLocationNormalized): Promise<true | RouteLocationRaw> {
  const session = useSession()
  const access = to.meta.access
  if (access === 'anyone' && !session.account) {
    // Who it is may be shown, but nothing depends on it.
    session.restore().catch(() => {})
    return true
  }
  await session.restore().catch(() => {})
  const signedIn = session.account !== undefined
  if (access === 'guests') return signedIn ? { path: returnPath(to.query.back) } : true
  if (access === 'anyone') return true
  if (!signedIn) return { name: 'sign-in', query: { back: to.fullPath } }
  // What is for administrators is shown to them only, by `App`; others are told so.
  return true
}

/** A path of this page to go back to; never another host's. */
export function returnPath(back: unknown): string {
  return typeof back === 'string' && /^\/(?![/\\])/.test(back) ? back : '/'
}
