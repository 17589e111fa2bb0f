import { defaultOptions } from 'tus-js-client'

import { api, ask } from '@/api/client'
import { address } from '@/hall'

import { heldUploads } from './hold'
import { readFingerprint, type Known } from './picked'

/** An upload that began in some window and has not ended. */
export interface Unfinished {
  id: string
  url: string
  name: string
  parent: string
  size: number
  sent: number
  begun: string
  /** What this browser knows of the file, where it began here. */
  remembered?: Remembered
  /** Whether another window of this browser has it now. */
  elsewhere: boolean
}

interface Remembered {
  key: string
  known: Known
}

const PAGE_ITEMS = 200
const FORGOTTEN_MS = 30 * 24 * 3600 * 1000

/** The caller's unfinished uploads, as the hall has them. */
export async function unfinishedUploads(): Promise<Unfinished[]> {
  const [held, remembered] = await Promise.all([heldUploads(), rememberedUploads()])
  const found: Unfinished[] = []
  let after: string | undefined
  do {
    const page = await ask(api.GET('/api/v1/uploads', { params: { query: { limit: PAGE_ITEMS, after } } }))
    for (const { id, url, name, parent, size, offset, created } of page.items) {
      // Parts of a joined upload have no name; whose length is open was not begun by a page.
      if (name == null || size == null) continue
      found.push({
        id,
        url: new URL(url, address('api/v1/uploads')).href,
        name,
        parent,
        size,
        sent: offset,
        begun: created,
        remembered: remembered.get(id),
        elsewhere: held.has(id),
      })
    }
    after = page.next ?? undefined
  } while (after)
  return found
}

/** Why a file can't be what was begun: it is another one, or has been changed since. */
export function mismatch(upload: Unfinished, file: File): 'otherFile' | 'fileChanged' | undefined {
  if (file.name !== upload.name) return 'otherFile'
  const known = upload.remembered?.known
  const isChanged = known !== undefined && known.lastModified !== file.lastModified
  return file.size !== upload.size || isChanged ? 'fileChanged' : undefined
}

/** The id in an upload's address. */
export function uploadId(url: string): string {
  return new URL(url).pathname.split('/').at(-1) ?? ''
}

/** What tus-js-client has stored in this browser, by upload. */
async function rememberedUploads(): Promise<Map<string, Remembered>> {
  const stored = await defaultOptions.urlStorage.findAllUploads()
  const remembered = new Map<string, Remembered>()
  for (const { uploadUrl, urlStorageKey: key, creationTime } of stored) {
    const known = readFingerprint(/^tus::(.*)::\d+$/s.exec(key)?.[1] ?? '')
    if (!uploadUrl || !known) continue
    // A hall has long given up what is as old as this; the browser's room is small.
    if (Date.now() - Date.parse(creationTime) > FORGOTTEN_MS) defaultOptions.urlStorage.removeUpload(key)
    else remembered.set(uploadId(uploadUrl), { key, known })
  }
  return remembered
}
