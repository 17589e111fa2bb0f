/** Text of a file: UTF-8, or else as older Chinese systems wrote it. A character may be cut at the end. */
export function decode(bytes: ArrayBuffer): string {
  for (const encoding of ['utf-8', 'gb18030']) {
    try {
      // As a stream: then what is cut at the end is no error.
      return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true })
    } catch {
      // The next may fit.
    }
  }
  return new TextDecoder('utf-8').decode(bytes)
}
