import type { Component } from 'vue'
import type { RouteRecordRaw } from 'vue-router'

/** A part of the page. A file in `areas/` exports one as `area`; nothing else has to name it. */
export interface Area {
  routes: RouteRecordRaw[]
  /** Its entry in the navigation, where it has one. */
  nav?: {
    /** Lower comes first. */
    order: number
    /** The key of its words. */
    label: string
    icon: Component
    /** The name of the route it leads to. */
    to: string
    adminOnly?: boolean
  }
}

declare module 'vue-router' {
  interface RouteMeta {
    /** Who may see it: whoever is signed in where it doesn't say. `guests` are those who are not. */
    access?: 'anyone' | 'guests' | 'admin'
    /** The key of its title. */
    title?: string
  }
}
