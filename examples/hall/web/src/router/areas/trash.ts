import { Delete } from '@element-plus/icons-vue'

import type { Area } from '../area'

export const area: Area = {
  routes: [
    {
      path: '/trash',
      name: 'trash',
      component: () => import('@/views/trash/TrashView.vue'),
      meta: { title: 'trash.title' },
    },
  ],
  nav: { order: 30, label: 'trash.title', icon: Delete, to: 'trash' },
}
