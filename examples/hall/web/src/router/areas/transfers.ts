import { Sort } from '@element-plus/icons-vue'

import type { Area } from '../area'

export const area: Area = {
  routes: [
    {
      path: '/transfers',
      name: 'transfers',
      component: () => import('@/views/TransfersView.vue'),
      meta: { title: 'transfers.title' },
    },
  ],
  nav: { order: 40, label: 'transfers.title', icon: Sort, to: 'transfers' },
}
