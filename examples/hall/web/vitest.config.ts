import { defineConfig, mergeConfig } from 'vitest/config'

import { LOOKS } from './e2e/support/looks.ts'
import page from './vite.config.ts'

/** Against a hall of its own, in a real browser; one at a time. */
const IN_A_BROWSER = {
  environment: 'node',
  fileParallelism: false,
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const

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
          extends: true,
          test: { ...IN_A_BROWSER, name: 'e2e', include: ['e2e/*.test.ts'] },
        },
        ...Object.entries(LOOKS).map(([name, look], index) => ({
          extends: true as const,
          test: {
            ...IN_A_BROWSER,
            name: `e2e-${name}`,
            include: ['e2e/ways/*.test.ts'],
            provide: { look },
            sequence: { groupOrder: index + 1 },
          },
        })),
        {
          // The way of a new user, at its full size, with pictures.
          extends: true,
          test: { name: 'tour', environment: 'node', include: ['tour/**/*.test.ts'] },
        },
      ],
    },
  }),
)
