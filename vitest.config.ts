import { defineConfig } from "vitest/config";

// Packages are tested from their sources: nothing stale, and stack traces that point at the code.
const conditions = ["source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  // The environment in which vitest runs the global setup.
  environments: { __vitest__: { resolve: { conditions } } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/setup/global-setup.ts"],
    // Most files start servers and processes of their own: more at a time only makes them wait for each other.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
