const CENTRAL = Buffer.from('PK\u0001\u0002', 'latin1')

/** The names in the directory of a ZIP archive, in its order. */
export function namesInZip(archive: Buffer): string[] {
  const names: string[] = []
  for (let at = archive.indexOf(CENTRAL); at >= 0; at = archive.indexOf(CENTRAL, at + 1)) {
    const length = archive.readUInt16LE(at + 28)
    names.push(archive.toString('utf8', at + 46, at + 46 + length))
  }
  return names
}
