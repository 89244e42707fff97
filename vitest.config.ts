import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Many tests wait for timers and processes rather than compute, so no core is kept free for vitest itself.
    maxWorkers: '100%',
    // Files share what a worker has loaded, which takes a third off the whole; so no test replaces a module.
    isolate: false,
    restoreMocks: true,
    unstubEnvs: true,
    globalSetup: 'test/support/node-version.ts',
    reporters: ['default', './test/support/closing-line.ts'],
    env: { POWERTOOLS_LOG_LEVEL: 'SILENT' },
    // Only what hangs takes longer, however slow the machine is: a test of real processes may need a minute on one.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
  },
})
