/** Messages under the names of their files. */
export function byArea(files: Record<string, object>): Record<string, object> {
  const named = Object.entries(files).map(([path, messages]) => [path.slice(2, -'.json'.length), messages])
  return Object.fromEntries(named)
}
