import { defineConfig } from "vitest/config";

export default defineConfig({
  // Packages are tested from their sources: nothing stale, and stack traces that point at the code.
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
