import type { Node } from '@/api/types'
import { previewKind } from '@/views/preview/kind'

/** What can be done with an entry, and the words for it. */
export interface NodeAction {
  key: 'preview' | 'download' | 'share' | 'rename' | 'move' | 'copy' | 'details' | 'delete'
  label: string
}

/** What can be done with this entry, in the order of its menu. */
export function actionsFor(node: Node): NodeAction[] {
  const always: NodeAction[] = [
    { key: 'share', label: 'shares.share' },
    { key: 'rename', label: 'drive.rename' },
    { key: 'move', label: 'drive.move' },
    { key: 'copy', label: 'drive.copy' },
    { key: 'details', label: 'drive.details' },
    { key: 'delete', label: 'drive.delete' },
  ]
  const download: NodeAction = { key: 'download', label: 'drive.download' }
  if (node.kind === 'folder') return [download, ...always]
  if (!previewKind(node)) return [download, ...always]
  return [{ key: 'preview', label: 'preview.open' }, download, ...always]
}

/** The media type under which a drag holds entries of the drive. */
export const DRAGGED_NODES = 'application/x-campusdisk-nodes'

export const holdsNodes = (event: DragEvent) => event.dataTransfer?.types.includes(DRAGGED_NODES) ?? false
