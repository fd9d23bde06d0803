// What a person does with the pages: narrow down, zoom, save, export, all of it by keyboard too.

import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Watched } from "./harness/browser";
import { type Scene, scene } from "./harness/scene";
import { EXACT, sums, truth } from "./harness/truth";
import { type Answer, until } from "./harness/weir";

let at: Scene;
beforeAll(async () => {
  at = await scene();
});
afterAll(async () => at?.end());

const filter = `filter=${encodeURIComponent(EXACT.filter)}`;
const param = (page: Page, name: string) => new URL(page.url()).searchParams.get(name);
const values = (page: Page, title: string) =>
  page.getByRole("table", { name: title }).locator("tbody tr button").allInnerTexts();

async function overview(): Promise<Watched> {
  const watched = await Watched.open(at.browser, at.weir.url);
  await watched.go(`/overview?${at.range}&${filter}`);
  return watched;
}

describe("a value", () => {
  test("is kept: the filter says so and only it is left", async () => {
    const watched = await overview();
    const { page } = watched;
    await page.getByRole("table", { name: "Top protocols" }).getByRole("button", { name: "tcp", exact: true }).click();
    await page.getByRole("menuitem", { name: /^Keep only this/ }).click();
    await page.waitForURL(/proto/);
    await watched.settled();
    expect(param(page, "filter")).toBe(`${EXACT.filter} and proto = 6`);
    expect(await values(page, "Top protocols")).toEqual(["tcp"]);
    await page.goBack();
    await watched.settled();
    expect(param(page, "filter")).toBe(EXACT.filter);
    expect((await values(page, "Top protocols")).length).toBe(sums((flow) => String(flow.proto)).size);
    await watched.close();
  });

  test("is left out: all others stay", async () => {
    const watched = await overview();
    const { page } = watched;
    const before = await values(page, "Top protocols");
    await page.getByRole("table", { name: "Top protocols" }).getByRole("button", { name: "tcp", exact: true }).click();
    await page.getByRole("menuitem", { name: /^Leave this out/ }).click();
    await page.waitForURL(/not/);
    await watched.settled();
    expect((await values(page, "Top protocols")).sort()).toEqual(before.filter((name) => name !== "tcp").sort());
    await watched.close();
  });

  test("leads to its records, and they are as many as the truth has", async () => {
    const watched = await overview();
    const { page } = watched;
    await page.getByRole("table", { name: "Top protocols" }).getByRole("button", { name: "udp", exact: true }).click();
    await page.getByRole("menuitem", { name: /^Records behind it/ }).click();
    await page.waitForURL(/\/records/);
    await watched.settled();
    const udp = truth.flows.filter((flow) => flow.proto === 17).length;
    // The heading is a row of the grid; until the answer is there it is the only one.
    const rows = await page.waitForFunction(() => {
      const count = Number(document.querySelector('[role="grid"]')?.getAttribute("aria-rowcount") ?? 0);
      return count > 1 && count;
    });
    expect(await rows.jsonValue()).toBe(udp + 1);
    expect(watched.complaints).toEqual([]);
    await watched.close();
  });
});

test("a drag over the chart zooms the whole page, and back comes back", async () => {
  const watched = await overview();
  const { page } = watched;
  const plot = page.locator("main .u-over").first();
  const box = (await plot.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.25, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + box.height / 2, { steps: 8 });
  await page.mouse.up();
  await page.waitForURL((url) => url.searchParams.get("from") !== at.from);
  const length = Date.parse(param(page, "to")!) - Date.parse(param(page, "from")!);
  const whole = Date.parse(at.to) - Date.parse(at.from);
  expect(length / whole).toBeGreaterThan(0.4);
  expect(length / whole).toBeLessThan(0.6);
  expect(Date.parse(param(page, "from")!)).toBeGreaterThan(Date.parse(at.from));
  await page.goBack();
  expect(param(page, "from")).toBe(at.from);
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("the address is the whole state: a reload changes nothing", async () => {
  const watched = await overview();
  const { page } = watched;
  await page.getByRole("button", { name: "packets" }).click();
  await page.getByLabel("Stacked by").selectOption("dst_addr");
  await watched.settled();
  const look = async () => ({
    url: page.url(),
    stacked: await page.getByLabel("Stacked by").inputValue(),
    packets: await page.getByRole("button", { name: "packets" }).getAttribute("aria-pressed"),
    sources: await page.getByRole("table", { name: "Top senders" }).innerText(),
  });
  const before = await look();
  expect(before).toMatchObject({ stacked: "dst_addr", packets: "true" });
  await page.reload();
  await watched.settled();
  expect(await look()).toEqual(before);
  await watched.close();
});

describe("an export", () => {
  async function exported(format: "CSV" | "NDJSON"): Promise<string> {
    const watched = await Watched.open(at.browser, at.weir.url);
    const { page } = watched;
    await watched.go(`/records?${at.range}&${filter}&cols=src_addr,dst_addr,packets,octets`);
    await page.getByRole("button", { name: /^Export/ }).click();
    await page.getByRole("radio", { name: new RegExp(`^${format}`) }).check();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /^Download/ }).click()]);
    const text = readFileSync(await download.path(), "utf8");
    expect(watched.complaints).toEqual([]);
    await watched.close();
    return text;
  }

  test("as CSV has every record once", async () => {
    const [head, ...lines] = (await exported("CSV")).trim().split(/\r?\n/);
    expect(head).toBe("src_addr,dst_addr,packets,octets");
    expect(lines.length).toBe(EXACT.records);
    expect(lines.reduce((sum, line) => sum + Number(line.split(",")[2]), 0)).toBe(truth.packets);
  });

  test("as NDJSON has every record once", async () => {
    const rows = (await exported("NDJSON")).trim().split("\n").map((line) => JSON.parse(line) as { octets: number });
    expect(rows.length).toBe(EXACT.records);
    expect(rows.reduce((sum, row) => sum + row.octets, 0)).toBe(truth.ip_bytes);
  });
});

test("a view is saved by the server and opened again by another browser", async () => {
  const watched = await overview();
  const { page } = watched;
  await page.getByRole("button", { name: "packets" }).click();
  await page.getByRole("button", { name: /views/i }).click();
  await page.getByLabel("Save this page as").fill("packets <b>of</b> v9");
  await page.keyboard.press("Enter");
  const views = await until("the saved view", async () => {
    const kept = await at.weir.get<{ views: { name: string; page: string }[] }>("/api/v1/views");
    return kept.views.length > 0 && kept.views;
  });
  expect(views.map(({ name, page: of }) => [name, of])).toEqual([["packets <b>of</b> v9", "overview"]]);
  await watched.close();
  const other = await Watched.open(at.browser, at.weir.url);
  await other.go("/health?refresh=0");
  await other.page.getByRole("button", { name: /views/i }).click();
  await other.page.getByRole("link", { name: /packets/ }).click();
  await other.page.waitForURL(/\/overview/);
  await other.settled();
  expect(param(other.page, "m")).toBe("pps");
  expect(param(other.page, "filter")).toBe(EXACT.filter);
  expect(other.complaints).toEqual([]);
  await other.close();
});

test("dark and light are chosen and remembered", async () => {
  const watched = await overview();
  const { page } = watched;
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  expect(await theme()).toBe("light");
  await page.getByRole("button", { name: /^Menu/ }).click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  expect(await theme()).toBe("dark");
  await page.reload();
  await watched.settled();
  expect(await theme()).toBe("dark");
  await watched.close();
});

describe("by keyboard alone", () => {
  test("every page is reached, and its content without walking through the header", async () => {
    const watched = await overview();
    const { page } = watched;
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to content");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
    for (const [keys, path] of [["e", "/explore"], ["r", "/records"], ["x", "/exporters"], ["h", "/health"], ["o", "/overview"]] as const) {
      await page.keyboard.press("g");
      await page.keyboard.press(keys);
      await page.waitForURL((url) => url.pathname === path);
      await watched.settled();
      expect(param(page, "filter")).toBe(EXACT.filter);
    }
    expect(watched.complaints).toEqual([]);
    await watched.close();
  });

  test("a filter is written and run", async () => {
    const watched = await Watched.open(at.browser, at.weir.url);
    const { page } = watched;
    await watched.go(`/overview?${at.range}`);
    await page.keyboard.press("/");
    await page.keyboard.type(`${EXACT.filter} and proto = udp`);
    await page.keyboard.press("Enter");
    await page.waitForURL(/udp/);
    await watched.settled();
    expect(await values(page, "Top protocols")).toEqual(["udp"]);
    await watched.close();
  });

  test("a value's menu opens, acts, and gives the focus back", async () => {
    const watched = await overview();
    const { page } = watched;
    const tcp = page.getByRole("table", { name: "Top protocols" }).getByRole("button", { name: "tcp", exact: true });
    await tcp.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("menu").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "hidden" });
    expect(await tcp.evaluate((button) => button === document.activeElement)).toBe(true);
    await page.keyboard.press("Enter");
    await page.getByRole("menu").waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(/proto/);
    expect(param(page, "filter")).toContain("proto = 6");
    await watched.close();
  });

  test.each(["overview", "explore", "records", "exporters", "health"])("the focus walks through %s and is always seen", async (name) => {
    const watched = await Watched.open(at.browser, at.weir.url);
    const { page } = watched;
    await watched.go(`/${name}?${at.range}&by=proto`);
    const seen = new Set<string>();
    const hidden: string[] = [];
    for (let step = 0; step < 120; step += 1) {
      await page.keyboard.press("Tab");
      const here = await page.evaluate(() => {
        const focused = document.activeElement;
        if (!focused || focused === document.body) return undefined;
        // In a grid the active cell is what is shown.
        const element = document.getElementById(focused.getAttribute("aria-activedescendant") ?? "") ?? focused;
        const box = element.getBoundingClientRect();
        const style = getComputedStyle(element);
        const outlined = (at: Element): boolean => [undefined, "::before", "::after"].some((pseudo) => {
          const { outlineStyle, outlineWidth, boxShadow, stroke } = getComputedStyle(at, pseudo);
          return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none" || (at instanceof SVGElement && stroke !== "none");
        });
        // A field may show it on the frame around it, a mark of a drawing on its shapes.
        let around: Element | null = element;
        let marked = [...element.querySelectorAll("rect, path, circle")].some(outlined);
        for (let up = 0; up < 4 && around && !marked; up += 1, around = around.parentElement) marked = outlined(around);
        const all = [...document.querySelectorAll("*")];
        return { key: String(all.indexOf(element)), visible: box.width > 0 && box.height > 0 && style.visibility !== "hidden", marked, html: element.outerHTML.slice(0, 160) };
      });
      if (!here) break;
      if (seen.has(here.key)) break;
      seen.add(here.key);
      if (!here.visible || !here.marked) hidden.push(here.html);
    }
    expect(seen.size).toBeGreaterThan(5);
    expect(hidden).toEqual([]);
    await watched.close();
  });
});

test("no data of the API is on a page that the API would not give", async () => {
  // The guard of this file: were the filter not sent, the sums above would be those of all exporters.
  const ask = (more: object) => at.weir.post<Answer>("/api/v1/query", { from: at.from, to: at.to, group_by: [], measures: ["packets"], ...more });
  const [all, exact] = [await ask({}), await ask({ filter: EXACT.filter })];
  expect(Number(all.total[0]!.values[0])).toBeGreaterThan(Number(exact.total[0]!.values[0]));
});
