import { defineConfig, mergeConfig } from 'vitest/config'

import page from './vite.config.ts'

export default mergeConfig(
  page,
  defineConfig({
    test: {
      projects: [
        {
          extends: true,
          test: { name: 'unit', environment: 'happy-dom', include: ['tests/**/*.test.ts'] },
        },
        {
          // Against a hall of its own, in a real browser; one at a time.
          test: {
            name: 'e2e',
            environment: 'node',
            include: ['e2e/**/*.test.ts'],
            fileParallelism: false,
            testTimeout: 60_000,
            hookTimeout: 60_000,
          },
        },
        {
          // The way of a new user, at its full size, with pictures.
          test: { name: 'tour', environment: 'node', include: ['tour/**/*.test.ts'] },
        },
      ],
    },
  }),
)
