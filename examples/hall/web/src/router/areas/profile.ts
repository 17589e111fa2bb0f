import type { Area } from '../area'

export const area: Area = {
  routes: [
    {
      path: '/profile',
      name: 'profile',
      component: () => import('@/views/profile/ProfileView.vue'),
      meta: { title: 'profile.title' },
    },
  ],
}
