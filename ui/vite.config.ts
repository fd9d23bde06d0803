import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// `npm run dev` shows a Weir that runs on this machine.
const weir = process.env.WEIR_URL ?? "http://127.0.0.1:8008";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    // Why: the content security policy forbids data: scripts and fonts; small files stay files.
    assetsInlineLimit: 0,
    sourcemap: false,
  },
  server: {
    // Weir checks Host and Origin: both must be its own.
    proxy: Object.fromEntries(
      ["/api", "/metrics", "/livez", "/readyz"].map((path) => [
        path,
        { target: weir, changeOrigin: true, headers: { origin: weir } },
      ]),
    ),
  },
  // Why: components under test are those of the browser, not of server rendering.
  resolve: process.env.VITEST ? { conditions: ["browser"] } : undefined,
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
