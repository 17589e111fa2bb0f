/** How far back a speed is measured. */
const WINDOW_MS = 5000

/** Bytes in a second over the last few seconds. */
export class Speedometer {
  private readonly marks: { bytes: number; at: number }[] = []

  speed(bytes: number, atMs: number): number {
    this.marks.push({ bytes, at: atMs })
    const kept = this.marks.findIndex(({ at }) => atMs - at <= WINDOW_MS)
    this.marks.splice(0, Math.min(kept, this.marks.length - 2))
    const first = this.marks[0] ?? { bytes, at: atMs }
    return atMs > first.at ? ((bytes - first.bytes) * 1000) / (atMs - first.at) : 0
  }
}
