import type { Node } from '@/api/types'

export type PreviewKind = 'image' | 'audio' | 'video' | 'pdf' | 'markdown' | 'text'

const IMAGES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp'])
/** Types that are text though they are not called so. */
const TEXTS = new Set(['application/json', 'application/xml', 'application/javascript', 'application/x-sh'])
const TEXT_NAMES =
  /\.(txt|log|csv|tsv|json|ya?ml|toml|ini|conf|xml|html?|css|[jt]sx?|py|rs|go|java|c|h|cpp|hpp|sh|sql|tex|bib|r|m|srt)$/i

/** How a file can be shown in the page, if it can. */
export function previewKind({
  kind,
  mime,
  name,
}: Pick<Node, 'kind' | 'mime' | 'name'>): PreviewKind | undefined {
  if (kind !== 'file') return undefined
  const type = mime?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (IMAGES.has(type)) return 'image'
  if (type.startsWith('audio/')) return 'audio'
  if (type.startsWith('video/')) return 'video'
  if (type === 'application/pdf') return 'pdf'
  if (type === 'text/markdown' || /\.(md|markdown)$/i.test(name)) return 'markdown'
  if (type.startsWith('text/') || TEXTS.has(type) || TEXT_NAMES.test(name)) return 'text'
  return undefined
}
