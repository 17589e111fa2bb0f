import type { Share } from '@/api/types'
import { address } from '@/hall'

/** A share's whole link; in a list it comes relative to the address of the list. */
export const linkOf = (share: Share) => new URL(share.url, address('api/v1/shares')).href
