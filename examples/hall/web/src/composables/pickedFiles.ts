import { inOrder, type Picked } from '@/transfers/picked'

/** What an input of files or of a folder holds. */
export function pickedBy(input: HTMLInputElement): Picked[] {
  const files = [...(input.files ?? [])]
  return inOrder(files.map((file) => ({ file, path: file.webkitRelativePath || undefined })))
}

/** What was dropped: files, and all that is in folders. */
export async function dropped(data: DataTransfer): Promise<Picked[]> {
  // Entries must be taken before anything is waited for: then the browser empties the list.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null)
  if (entries.every((entry) => entry === null)) return [...data.files].map((file) => ({ file }))
  const picked: Picked[] = []
  for (const entry of entries) if (entry) await walk(entry, '', picked)
  return inOrder(picked)
}

async function walk(entry: FileSystemEntry, above: string, into: Picked[]): Promise<void> {
  const path = above + entry.name
  if (entry.isDirectory) {
    const reader = (entry as FileSystemDirectoryEntry).createReader()
    for (;;) {
      // It tells some at a time, and none at its end.
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      )
      if (some.length === 0) return
      for (const inner of some) await walk(inner, `${path}/`, into)
    }
  }
  const file = await new Promise<File>((resolve, reject) =>
    (entry as FileSystemFileEntry).file(resolve, reject),
  )
  into.push({ file, path: above ? path : undefined })
}
