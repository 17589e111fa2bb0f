import { allPages } from './allPages'
import { api, ask } from './client'

/** All folders in a folder, by name. */
export const foldersIn = (id: string) =>
  allPages((page) => {
    const query = { category: 'folder', ...page }
    return ask(api.GET('/api/v1/nodes/{id}/children', { params: { path: { id }, query } }))
  })
