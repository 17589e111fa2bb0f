import { Share } from '@element-plus/icons-vue'

import type { Area } from '../area'

export const area: Area = {
  routes: [
    {
      path: '/shares',
      name: 'shares',
      component: () => import('@/views/shares/SharesView.vue'),
      meta: { title: 'shares.title' },
    },
  ],
  nav: { order: 20, label: 'shares.title', icon: Share, to: 'shares' },
}
