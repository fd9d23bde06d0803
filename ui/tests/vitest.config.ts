import { defineConfig } from "vitest/config";

// Each file has a Weir and a browser of its own; one after the other, so that they do not fight
// for the processor. The times are for a busy machine; nothing asserts on them.
export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
