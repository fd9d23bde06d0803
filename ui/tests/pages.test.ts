// Every page and view, dark and light, wide and narrow: nothing complains, axe finds nothing
// serious, nothing hangs over the edge. The screenshots are for people.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NARROW, Watched, WIDE } from "./harness/browser";
import { type Scene, scene } from "./harness/scene";

let at: Scene;
beforeAll(async () => {
  at = await scene();
});
afterAll(async () => at?.end());

const PAGES: [name: string, path: string][] = [
  ["overview", "/overview?"],
  ["explore", "/explore?by=proto,dst_port"],
  ["records", "/records?"],
  ["exporters", "/exporters?"],
  ["health", "/health?"],
];
const VIEWS = ["area", "lines", "percent", "bars", "grid", "sankey", "heatmap", "table"];

describe.each(PAGES)("%s", (name, path) => {
  test.each([
    ["light", 1440], ["dark", 1440], ["light", 390], ["dark", 390],
  ] as const)("%s at %i pixels", async (theme, width) => {
    const watched = await Watched.open(at.browser, at.weir.url, { colorScheme: theme, viewport: width === 390 ? NARROW : WIDE });
    await watched.go(`${path}&${at.range}`);
    // What loads when it comes into view is looked at too.
    await watched.page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    await watched.settled();
    await watched.page.evaluate(() => window.scrollTo(0, 0));
    await watched.shot(`${name}-${theme}-${width}`);
    expect(await watched.page.evaluate(() => document.documentElement.dataset.theme)).toBe(theme);
    expect(await watched.overhang()).toBe(0);
    expect(await watched.page.getByRole("heading", { level: 1 }).count()).toBe(1);
    expect(await watched.findings()).toEqual([]);
    expect(watched.complaints).toEqual([]);
    await watched.close();
  });
});

describe("every view of Explore", () => {
  test.each(VIEWS.map((view) => [view]))("%s", async (view) => {
    const watched = await Watched.open(at.browser, at.weir.url);
    for (const more of ["", "&both=1", "&cmp=previous"]) {
      await watched.go(`/explore?${at.range}&by=src_addr,proto&view=${view}${more}`);
      expect(await watched.page.getByRole("alert").count(), view + more).toBe(0);
      if (more === "") {
        await watched.shot(`explore-${view}`);
        expect(await watched.findings()).toEqual([]);
      }
    }
    expect(watched.complaints).toEqual([]);
    await watched.close();
  });
});
