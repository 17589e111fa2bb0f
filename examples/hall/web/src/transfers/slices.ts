/** As many as are looked at before the page may draw again. */
const SLICE = 50

/** Gives much in slices, between which the page lives. Unlike a timer it is as quick in a window that nobody sees. */
export async function* inSlices<T>(all: readonly T[]): AsyncGenerator<readonly T[]> {
  const { port1, port2 } = new MessageChannel()
  for (let from = 0; from < all.length; from += SLICE) {
    yield all.slice(from, from + SLICE)
    await new Promise((resolve) => {
      port2.onmessage = resolve
      port1.postMessage(undefined)
    })
  }
  port1.close()
}
