import type { Page } from 'playwright-core'

const [WIDTH, HEIGHT] = [64, 36]

/**
 * A film that is as long as `seconds` and as large as `bytes`: a picture each second, of one grey that grows, and much
 * that means nothing between them, so that no player has all of it at once. The page encodes the pictures.
 */
export async function film(page: Page, seconds: number, bytes: number): Promise<Buffer> {
  const pictures = await page.evaluate(encode, { seconds, width: WIDTH, height: HEIGHT })
  const between = Math.floor(bytes / seconds)
  const clusters = pictures.map((picture, second) =>
    element(
      '1f43b675',
      element('e7', number(second * 1000)),
      element('a3', Buffer.from([0x81, 0, 0, 0x80]), Buffer.from(picture, 'base64')),
      element('ec', Buffer.alloc(between)),
    ),
  )
  const info = element(
    '1549a966',
    element('2ad7b1', number(1_000_000)),
    element('4489', float(seconds * 1000)),
    element('4d80', Buffer.from('hall')),
    element('5741', Buffer.from('hall')),
  )
  const size = element('e0', element('b0', number(WIDTH)), element('ba', number(HEIGHT)))
  const track = [element('d7', number(1)), element('73c5', number(1)), element('83', number(1))]
  const tracks = element('1654ae6b', element('ae', ...track, element('86', Buffer.from('V_VP8')), size))
  const cuesAt = (first: number) => {
    let at = first
    const points = clusters.map((cluster, second) => {
      const place = element('b7', element('f7', number(1)), element('f1', number(at)))
      at += cluster.length
      return element('bb', element('b3', number(second * 1000)), place)
    })
    return element('1c53bb6b', ...points)
  }
  // Numbers have one length: where the pictures begin does not depend on what is said of it.
  const first = info.length + tracks.length + cuesAt(0).length
  const segment = element('18538067', info, tracks, cuesAt(first), ...clusters)
  return Buffer.concat([header(), segment])
}

function header(): Buffer {
  const numbers = { '4286': 1, '42f7': 1, '42f2': 4, '42f3': 8 }
  const versions = { '4287': 2, '4285': 2 }
  const all = (pairs: Record<string, number>) =>
    Object.entries(pairs).map(([id, value]) => element(id, number(value)))
  return element('1a45dfa3', ...all(numbers), element('4282', Buffer.from('webm')), ...all(versions))
}

/** An element of EBML (RFC 8794 §4), its length always in eight bytes. */
function element(id: string, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const length = number(body.length)
  length[0] = 1
  return Buffer.concat([Buffer.from(id, 'hex'), length, body])
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function float(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes
}

/** Runs in the page: a VP8 key frame for each second, as Base64. */
async function encode({ seconds, width, height }: { seconds: number; width: number; height: number }) {
  const frames: string[] = []
  const encoder = new VideoEncoder({
    error(problem) {
      throw problem
    },
    output(chunk) {
      const bytes = new Uint8Array(chunk.byteLength)
      chunk.copyTo(bytes)
      frames.push(btoa(String.fromCharCode(...bytes)))
    },
  })
  encoder.configure({ codec: 'vp8', width, height })
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d')
  for (let second = 0; second < seconds; second += 1) {
    const grey = Math.round((255 * second) / seconds)
    if (context) context.fillStyle = `rgb(${grey} ${grey} ${grey})`
    context?.fillRect(0, 0, width, height)
    const frame = new VideoFrame(canvas, { timestamp: second * 1_000_000 })
    encoder.encode(frame, { keyFrame: true })
    frame.close()
  }
  await encoder.flush()
  return frames
}
