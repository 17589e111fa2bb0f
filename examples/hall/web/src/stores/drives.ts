import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { api, ask } from '@/api/client'
import type { Drive } from '@/api/types'

/** The drives of whoever is signed in, their own first. */
export const useDrives = defineStore('drives', () => {
  const drives = ref<Drive[]>([])
  const own = computed(() => drives.value[0])

  async function load() {
    drives.value = (await ask(api.GET('/api/v1/drives'))).items
  }

  /** Loads them where that hasn't been done. */
  async function ensure() {
    if (drives.value.length === 0) await load()
  }

  function forget() {
    drives.value = []
  }

  return { drives, own, load, ensure, forget }
})
