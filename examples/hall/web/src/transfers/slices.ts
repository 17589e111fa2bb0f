/** As many as are looked at before the page draws again: for each file the browser asks the system. */
const SLICE = 10
/** So long a frame is waited for, ms: a window that is hidden meanwhile has none. */
const NOT_DRAWN_MS = 100

/**
 * Gives much in slices, before each of which the page draws: also before the first, as the task that made a list of thousands was long
 * already. A window that nobody sees draws nothing and has slow timers: there only other tasks come between.
 */
export async function* inSlices<T>(all: readonly T[]): AsyncGenerator<readonly T[]> {
  const { port1, port2 } = new MessageChannel()
  for (let from = 0; from < all.length; from += SLICE) {
    await new Promise((resolve) => {
      port2.onmessage = resolve
      const next = () => port1.postMessage(undefined)
      if (document.hidden) next()
      else {
        requestAnimationFrame(next)
        setTimeout(resolve, NOT_DRAWN_MS)
      }
    })
    yield all.slice(from, from + SLICE)
  }
  port1.close()
}
