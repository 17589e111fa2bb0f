import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { api, ask } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Account } from '@/api/types'
import { hall } from '@/hall'

/** Who is signed in. */
export const useSession = defineStore('session', () => {
  const account = ref<Account>()
  /** What a new password is the answer to, while one must be chosen before signing in. */
  const challenge = ref<string>()
  const isAdmin = computed(() => account.value?.admin ?? false)
  let asked: Promise<void> | undefined
  /** Whose things this page has held. */
  let former: string | undefined

  /** Asks once who is signed in; nobody where the browser showed no session. */
  function restore(): Promise<void> {
    asked ??= hall.session ? whoIsIt() : Promise.resolve()
    return asked
  }

  async function whoIsIt() {
    try {
      welcome((await ask(api.GET('/api/v1/me'))).account)
    } catch (thrown) {
      const problem = Problem.from(thrown)
      if (problem.status !== 401) {
        asked = undefined
        throw problem
      }
    }
  }

  async function signIn(username: string, password: string, remember: boolean) {
    try {
      const answer = await ask(api.POST('/api/v1/session', { body: { username, password, remember } }))
      welcome(answer.account)
    } catch (thrown) {
      const problem = Problem.from(thrown)
      if (problem.kind === 'password_change_required') challenge.value = problem.challenge
      throw problem
    }
  }

  async function choosePassword(password: string) {
    const body = { challenge: challenge.value ?? '', new: password }
    const answer = await ask(api.POST('/api/v1/session/challenge', { body }))
    welcome(answer.account)
  }

  async function setUp(token: string, username: string, password: string, email: string | null) {
    const body = { token, username, password, email }
    welcome((await ask(api.POST('/api/v1/setup', { body }))).account)
  }

  async function register(username: string, password: string, email: string | null) {
    await ask(api.POST('/api/v1/accounts', { body: { username, password, email } }))
    await signIn(username, password, false)
  }

  async function signOut() {
    await api.DELETE('/api/v1/session')
    forget()
  }

  function welcome(who: Account) {
    // What the page holds of somebody else is not for this person.
    if (former && former !== who.id) window.location.reload()
    former = who.id
    account.value = who
    challenge.value = undefined
    asked = Promise.resolve()
  }

  /** The session is over, here too. */
  function forget() {
    account.value = undefined
    asked = Promise.resolve()
  }

  return { account, challenge, isAdmin, restore, signIn, choosePassword, setUp, register, signOut, forget }
})
