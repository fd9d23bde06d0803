// A Weir to which nobody reports yet, until somebody does.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, NARROW, Watched } from "./harness/browser";
import { EXACT } from "./harness/truth";
import { Weir } from "./harness/weir";

let weir: Weir;
let browser: Browser;
beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start(), launch()]);
});
afterAll(async () => {
  await browser?.close();
  await weir?.stop();
});

test("nothing yet: the lines to paste name the port that is open, in both themes and widths", async () => {
  for (const [theme, viewport, name] of [["light", undefined, "1440"], ["dark", NARROW, "390"]] as const) {
    const watched = await Watched.open(browser, weir.url, { colorScheme: theme, ...(viewport ? { viewport } : {}) });
    await watched.page.goto(`${weir.url}/?refresh=0`);
    await watched.page.getByText("Waiting for the first packet").waitFor();
    const lines = watched.page.getByRole("tabpanel").locator("pre");
    expect(await lines.first().textContent()).toContain(`127.0.0.1:${weir.udp}`);
    expect(await watched.findings()).toEqual([]);
    expect(await watched.overhang()).toBe(0);
    await watched.shot(`first-run-${theme}-${name}`);
    expect(watched.complaints).toEqual([]);
    await watched.close();
  }
});

test("the tabs are walked with arrow keys, and every exporter has its lines", async () => {
  const watched = await Watched.open(browser, weir.url);
  await watched.page.goto(`${weir.url}/?refresh=0`);
  await watched.page.getByRole("tab").first().focus();
  const seen = new Set<string>();
  const tabs = await watched.page.getByRole("tab").count();
  for (let i = 0; i < tabs; i += 1) {
    const chosen = watched.page.getByRole("tab", { selected: true });
    expect(await chosen.evaluate((tab) => tab === document.activeElement)).toBe(true);
    expect((await watched.page.getByRole("tabpanel").locator("pre").first().textContent())?.length).toBeGreaterThan(5);
    seen.add((await chosen.textContent())!);
    await watched.page.keyboard.press("ArrowRight");
  }
  expect(seen.size).toBe(tabs);
  await watched.close();
});

test("the page turns into the overview when records come", async () => {
  const watched = await Watched.open(browser, weir.url);
  await watched.page.goto(`${weir.url}/`);
  await watched.page.getByText("Waiting for the first packet").waitFor();
  await weir.replay(EXACT.capture);
  await watched.page.getByRole("table", { name: "Top senders" }).locator("tbody tr").first().waitFor();
  expect(watched.complaints).toEqual([]);
  await watched.close();
});
