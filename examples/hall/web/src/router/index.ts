import { createRouter, createWebHistory } from 'vue-router'

import { root } from '@/hall'

import type { Area } from './area'
import { guard } from './guard'

const files = import.meta.glob<Area>('./areas/*.ts', { eager: true, import: 'area' })

/** Every part of the page, in the order of the navigation. */
export const areas = Object.values(files).sort((a, b) => (a.nav?.order ?? 0) - (b.nav?.order ?? 0))

export const router = createRouter({
  history: createWebHistory(root.pathname),
  routes: [
    ...areas.flatMap((area) => area.routes),
    {
      path: '/:rest(.*)*',
      name: 'nowhere',
      component: () => import('@/views/NowhereView.vue'),
      meta: { access: 'anyone', title: 'nowhere.title' },
    },
  ],
})

router.beforeEach(guard)
