// Runs the browser suite against a real `weir serve`. Needs WEIR_BIN (a binary with the console
// built in) and a Chromium (CHROMIUM, or Debian's). Without them it says so; it fails for that only
// where somebody counts on it: CI, or WEIR_BROWSER=required (`make test`).
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const required = !!process.env.CI || process.env.WEIR_BROWSER === "required";
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";

function missing(what) {
  console.error(`${required ? "FAILED" : "SKIPPED"} the browser suite: ${what}`);
  process.exit(required ? 1 : 0);
}

if (!process.env.WEIR_BIN) missing("WEIR_BIN names no binary (build one with `make build`)");
if (!existsSync(process.env.WEIR_BIN)) missing(`there is no ${process.env.WEIR_BIN}`);
if (!existsSync(chromium)) missing(`there is no ${chromium} (apt-get install chromium, or set CHROMIUM)`);

const args = ["vitest", "run", "--config", "tests/vitest.config.ts", ...process.argv.slice(2)];
const done = spawnSync("npx", args, { stdio: "inherit", env: { ...process.env, CHROMIUM: chromium } });
process.exit(done.status ?? 1);
