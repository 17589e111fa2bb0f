import { UserFilled } from '@element-plus/icons-vue'

import type { Area } from '../area'

export const area: Area = {
  routes: [
    {
      path: '/administration/:part(people|groups|health|settings)?',
      name: 'administration',
      component: () => import('@/views/administration/AdministrationView.vue'),
      meta: { access: 'admin', title: 'administration.title' },
    },
  ],
  nav: {
    order: 90,
    label: 'administration.title',
    icon: UserFilled,
    to: 'administration',
    adminOnly: true,
  },
}
