import { FolderOpened } from '@element-plus/icons-vue'

import type { Area } from '../area'

export const area: Area = {
  routes: [
    { path: '/', redirect: { name: 'drive' } },
    {
      path: '/drive/:folder?',
      name: 'drive',
      component: () => import('@/views/files/DriveView.vue'),
      meta: { title: 'drive.title' },
    },
    {
      path: '/search',
      name: 'search',
      component: () => import('@/views/files/SearchView.vue'),
      meta: { title: 'drive.search' },
    },
  ],
  nav: { order: 10, label: 'drive.title', icon: FolderOpened, to: 'drive' },
}
