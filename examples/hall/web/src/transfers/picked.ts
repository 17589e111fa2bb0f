/** What happens when the name is taken where a file arrives. */
export type OnConflict = 'fail' | 'rename' | 'version'

/** A file that was picked, with its path below the folder that was picked with it, such as `photos/a.jpg`. */
export interface Picked {
  file: File
  path?: string
}

/** By path, so that a folder goes the same way however it was picked; files without one stay as they were chosen. */
export function inOrder(picked: Picked[]): Picked[] {
  return picked.sort(({ path: a = '' }, { path: b = '' }) => (a < b ? -1 : Number(a > b)))
}

/** The same file on its way to the same place, whatever happens there. */
export function journey({ file, path }: Picked, parent: string): string {
  return [parent, path ?? file.name, file.size, file.lastModified].join('|')
}

/** What tus-js-client remembers an upload by. What happens with a taken name is fixed when an upload begins. */
export function fingerprint(picked: Picked, parent: string, onConflict: OnConflict): string {
  return ['campusdisk', onConflict, journey(picked, parent)].join('|')
}

/** What a fingerprint was made of. */
export interface Known {
  onConflict: OnConflict
  journey: string
  /** Only of a file that came with a folder. */
  path?: string
  lastModified: number
}

/** Reads a fingerprint; nothing where it is not of this page. */
export function readFingerprint(text: string): Known | undefined {
  const parts = /^campusdisk\|(fail|rename|version)\|([^|]*\|(.*)\|\d+\|(\d+))$/s.exec(text)
  if (!parts) return undefined
  const [, onConflict, journey = '', path = '', lastModified] = parts
  return {
    onConflict: onConflict as OnConflict,
    journey,
    path: path.includes('/') ? path : undefined,
    lastModified: Number(lastModified),
  }
}
