import { fileURLToPath, URL } from 'node:url'

import VueI18n from '@intlify/unplugin-vue-i18n/vite'
import vue from '@vitejs/plugin-vue'
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers'
import Components from 'unplugin-vue-components/vite'
import { defineConfig } from 'vite'
import { compression } from 'vite-plugin-compression2'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** Where `npm run dev` sends what the page asks the hall. */
const hall = process.env.HALL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  // The hall may live below any path: files name one another relatively, and the hall says where the page is.
  base: './',
  resolve: { alias: { '@': path('./src') } },
  plugins: [
    vue(),
    Components({ dirs: [], dts: false, resolvers: [ElementPlusResolver()] }),
    // Compiled here: the policy against foreign scripts forbids compiling in the browser.
    VueI18n({ include: path('./src/locales/**/*.json'), runtimeOnly: true, strictMessage: false }),
    compression({
      // Twins that the hall sends to who takes them.
      include: /\.(js|css|svg)$/,
      threshold: 1024,
      algorithms: ['brotliCompress', 'gzip'],
    }),
  ],
  build: { target: 'es2022', modulePreload: { polyfill: false }, assetsInlineLimit: 0, manifest: true },
  server: {
    proxy: {
      '/api': hall,
      '/healthz': hall,
      '/readyz': hall,
      '/s': {
        target: hall,
        // A visit in the address bar is the page's.
        bypass: (request) => (request.headers.accept?.includes('text/html') ? '/index.html' : undefined),
      },
    },
  },
})
