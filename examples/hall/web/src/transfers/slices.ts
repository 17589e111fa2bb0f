/** As many as are looked at before the page may draw again. */
const SLICE = 50

/**
 * Gives much in slices, before each of which the page lives: also before the first, as the task that made a list of thousands was long
 * already. Unlike a timer it is as quick in a window that nobody sees.
 */
export async function* inSlices<T>(all: readonly T[]): AsyncGenerator<readonly T[]> {
  const { port1, port2 } = new MessageChannel()
  for (let from = 0; from < all.length; from += SLICE) {
    await new Promise((resolve) => {
      port2.onmessage = resolve
      port1.postMessage(undefined)
    })
    yield all.slice(from, from + SLICE)
  }
  port1.close()
}
