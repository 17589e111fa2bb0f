import './styles/index.css'

import { createPinia } from 'pinia'
import { createApp, watchEffect } from 'vue'

import { whenSessionEnds } from './api/client'
import App from './App.vue'
import { hall } from './hall'
import { i18n, showLocale } from './i18n'
import { router } from './router'
import { useDrives } from './stores/drives'
import { usePreferences } from './stores/preferences'
import { useSession } from './stores/session'

async function start() {
  const app = createApp(App)
  app.use(createPinia())
  await showLocale(usePreferences().locale)
  app.use(i18n)
  whenSessionEnds(leave)
  app.use(router)
  watchEffect(() => {
    const { title } = router.currentRoute.value.meta
    document.title = title ? `${i18n.global.t(title)} · ${hall.name}` : hall.name
  })
  app.mount('#app')
}

/** The session ended behind our back: signing in leads back here. */
function leave() {
  const session = useSession()
  const wasSignedIn = session.account !== undefined
  session.forget()
  useDrives().forget()
  const here = router.currentRoute.value
  const access = here.meta.access
  if (wasSignedIn && access !== 'anyone' && access !== 'guests') {
    router.push({ name: 'sign-in', query: { back: here.fullPath, ended: '1' } })
  }
}

start()
