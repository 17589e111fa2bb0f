import { readFileSync } from 'node:fs'
import { join, extname } from 'node:path'

import type { BrowserContext } from 'playwright-core'

/**
 * Shows the page that `npm run build` made in place of the one in the hall's program, so that work on the page needs no
 * build of the hall. Headers and facts stay the hall's.
 */
export async function showLocalBuild(context: BrowserContext, dist: string): Promise<void> {
  await context.route(
    // The university's own logo and style are the hall's.
    (url) => /\/(assets\/(?!brand-|logo-)[^/]+|favicon\.svg)$/.test(url.pathname),
    (route) => {
      const path = /(assets\/[^/]+|favicon\.svg)$/.exec(new URL(route.request().url()).pathname)?.[0] ?? ''
      return route.fulfill({ path: join(dist, path), contentType: TYPES[extname(path)] })
    },
  )
  await context.route('**/*', async (route) => {
    if (route.request().resourceType() !== 'document') return route.fallback()
    // Only the browser knows where this name leads.
    const url = route.request().url().replace('//hall.example', '//127.0.0.1')
    const response = await route.fetch({ url })
    const theirs = await response.text()
    if (!theirs.includes('name="hall"')) return route.fulfill({ response })
    let ours = readFileSync(join(dist, 'index.html'), 'utf8')
    for (const mark of [
      /<base [^>]*>/,
      /<meta name="hall"[^>]*>/,
      /<title>.*<\/title>/,
      /<html [^>]*>/,
      /<link rel="icon"[^>]*>/,
    ]) {
      ours = ours.replace(mark, mark.exec(theirs)?.[0] ?? '')
    }
    const style = /<link rel="stylesheet" href="\.\/assets\/brand-[^>]*>/.exec(theirs)?.[0] ?? ''
    ours = ours.replace('</head>', `${style}</head>`)
    return route.fulfill({ response, body: ours })
  })
}

const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}
