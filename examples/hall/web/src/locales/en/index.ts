import elements from 'element-plus/es/locale/lang/en'

import { byArea } from '../by-area'

const files = import.meta.glob<object>('./*.json', { eager: true, import: 'default' })

/** One file for each area of the page, under its name. */
export const messages = byArea(files)
export { elements }
