import type { Area } from '../area'

export const area: Area = {
  routes: [
    {
      path: '/s/:token',
      name: 'visit',
      component: () => import('@/views/visit/VisitView.vue'),
      meta: { access: 'anyone', title: 'visit.title' },
    },
  ],
}
