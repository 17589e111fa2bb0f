import type { Area } from '../area'

export const area: Area = {
  routes: [
    {
      path: '/setup',
      name: 'setup',
      component: () => import('@/views/account/SetupView.vue'),
      meta: { access: 'anyone', title: 'setup.title' },
    },
    {
      path: '/sign-in',
      name: 'sign-in',
      component: () => import('@/views/account/SignInView.vue'),
      meta: { access: 'guests', title: 'session.signIn' },
    },
    {
      path: '/register',
      name: 'register',
      component: () => import('@/views/account/RegisterView.vue'),
      meta: { access: 'guests', title: 'session.register' },
    },
    {
      path: '/new-password',
      name: 'new-password',
      component: () => import('@/views/account/NewPasswordView.vue'),
      meta: { access: 'guests', title: 'session.newPassword' },
    },
  ],
}
