// Takes the pictures of the README from a running demo: node tools/screenshots.mjs [URL]
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const url = process.argv[2] ?? "http://127.0.0.1:8008";
const folder = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const PICTURES = [
  ["overview", "light", "/overview?from=-15m&refresh=0", 1380],
  ["explore", "dark", "/explore?from=-15m&refresh=0&by=exporter_addr,proto&view=area", 900],
  ["sankey", "light", "/explore?from=-15m&refresh=0&by=exporter_addr,src_addr,dst_addr&view=sankey&n=20", 900],
  ["records", "dark", "/records?from=-15m&refresh=0", 800],
  ["health", "light", "/health?refresh=0", 900],
];

mkdirSync(folder, { recursive: true });
const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
for (const [name, colorScheme, path, height] of PICTURES) {
  const page = await browser.newPage({ viewport: { width: 1440, height }, colorScheme, reducedMotion: "reduce" });
  await page.goto(url + path);
  await page.waitForLoadState("networkidle");
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'));
  await page.screenshot({ path: `${folder}${name}.png` });
  await page.close();
}
await browser.close();
