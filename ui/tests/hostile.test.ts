// Names from the network are hostile: they are shown as they are, run nothing, turn nothing
// around, and reach spreadsheets as text.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, NARROW, Watched, WIDE } from "./harness/browser";
import { HOSTILE, hostileMessages } from "./harness/ipfix";
import { Weir } from "./harness/weir";

let weir: Weir;
let browser: Browser;
beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start(), launch()]);
  const sent = hostileMessages();
  await weir.send(...sent.datagrams);
  await weir.whenRows(sent.records);
});
afterAll(async () => {
  await browser?.close();
  await weir?.stop();
});

const COLUMNS = "src_namespace,src_pod,dst_pod,in_if_name,app,src_user,http_url";
const PATHS = [
  "/overview?by=src_namespace",
  "/overview?by=in_if_name",
  ...["area", "grid", "sankey", "heatmap", "table"].map((view) => `/explore?by=src_pod,app&view=${view}`),
  `/records?cols=${COLUMNS}`,
  "/exporters?",
  "/health?",
];

test.each(PATHS)("%s", async (path) => {
  for (const viewport of [WIDE, NARROW]) {
    const watched = await Watched.open(browser, weir.url, { viewport });
    await watched.go(`${path}&from=-1h&refresh=0`);
    await watched.page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    await watched.settled();
    // Whoever points at things sees titles and tooltips.
    for (const part of await watched.page.locator("main canvas, main svg").all()) {
      if (await part.isVisible()) await part.hover({ force: true, timeout: 5000 }).catch(() => {});
    }
    expect(await watched.page.evaluate(() => (window as unknown as { pwned?: number }).pwned)).toBeUndefined();
    expect(await watched.page.locator("main img, main script, main iframe, main [onload], main [onerror]").count()).toBe(0);
    expect(await watched.page.locator('a[href^="javascript:"]').count()).toBe(0);
    await watched.shot(`hostile${path.replace(/[^a-z0-9]+/gi, "-")}-${viewport.width}`);
    expect(await watched.overhang(), path).toBe(0);
    expect(watched.complaints).toEqual([]);
    await watched.close();
  }
});

test("markup is read as text", async () => {
  const watched = await Watched.open(browser, weir.url);
  await watched.go("/overview?by=src_namespace&from=-1h&refresh=0");
  expect(await watched.page.getByText(HOSTILE.script, { exact: true }).count()).toBeGreaterThan(0);
  await watched.close();
});

test("a name that turns the text around stays inside its own element", async () => {
  const watched = await Watched.open(browser, weir.url);
  await watched.go("/overview?by=src_namespace&from=-1h&refresh=0");
  const shown = watched.page.locator("main :is(bdi, button, a, td, span)", { hasText: "\u202e" });
  const loose = await shown.evaluateAll((all) => all
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent!.includes("\u202e")))
    .filter((element) => {
      for (let at: Element | null = element; at && at.tagName !== "MAIN"; at = at.parentElement) {
        if (/isolate|plaintext/.test(getComputedStyle(at).unicodeBidi) || getComputedStyle(at).display !== "inline") return false;
      }
      return true;
    })
    .map((element) => element.outerHTML));
  expect(loose).toEqual([]);
  await watched.close();
});
