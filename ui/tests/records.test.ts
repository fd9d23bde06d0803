// Single records: what the table, the panel, the tail and a file say is what was sent.

import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, NARROW, Watched, WIDE } from "./harness/browser";
import { EXACT, OTHERS, truth } from "./harness/truth";
import { Weir } from "./harness/weir";

const FILTER = `filter=${encodeURIComponent(EXACT.filter)}`;

let weir: Weir;
let browser: Browser;
beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start(), launch()]);
  for (const capture of [EXACT.capture, ...OTHERS]) await weir.replay(capture);
  await weir.whenRows(EXACT.records, EXACT.filter);
});
afterAll(async () => {
  await browser?.close();
  await weir?.stop();
});

/** High enough for every record at once. */
const HIGH = { viewport: { width: 1440, height: 1700 } };

async function open(path: string): Promise<Watched> {
  const watched = await Watched.open(browser, weir.url, HIGH);
  await watched.go(path);
  return watched;
}

/** The texts of a column, row by row, as they stand in the table; thousands joined again. */
async function texts(watched: Watched, name: string): Promise<string[]> {
  const { page } = watched;
  await page.waitForFunction(() => document.querySelector("[role=gridcell]") && !document.querySelector(".waiting"));
  return page.evaluate((wanted) => {
    const heads = [...document.querySelectorAll("[role=columnheader]")];
    const at = heads.findIndex((head) => head.querySelector(".label")?.textContent === wanted);
    return [...document.querySelectorAll("[role=row][aria-rowindex]:not(.header *)")]
      .filter((row) => row.querySelector("[role=gridcell]"))
      .map((row) => row.querySelectorAll("[role=gridcell]")[at]!.textContent!.replaceAll("\u202f", ""));
  }, name);
}

test("the table holds the records that were sent, in any order", async () => {
  const watched = await open(`/records?v=1&refresh=0&cols=src_addr,dst_addr,octets,packets&${FILTER}`);
  const { page } = watched;
  expect(await page.locator(".count strong").textContent()).toBe(String(EXACT.records));
  const sent = truth.flows.map((flow) => flow.ip_bytes).sort((a, b) => b - a);
  const total = (await texts(watched, "octets")).map(Number);
  expect(total.sort((a, b) => b - a)).toEqual(sent);

  const head = page.getByRole("columnheader", { name: "octets" });
  await head.getByRole("button").click();
  await expect.poll(() => head.getAttribute("aria-sort")).toBe("descending");
  await expect.poll(async () => (await texts(watched, "octets")).map(Number)).toEqual(sent);
  await head.getByRole("button").click();
  await expect.poll(async () => (await texts(watched, "octets")).map(Number)).toEqual([...sent].reverse());
  await page.reload();
  await watched.settled();
  expect(await head.getAttribute("aria-sort")).toBe("ascending");
  expect((await texts(watched, "octets")).map(Number)).toEqual([...sent].reverse());
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("keys walk the table, open a record, keep one of its values, and give the focus back", async () => {
  const watched = await open(`/records?v=1&refresh=0&cols=received_at,src_addr,octets&${FILTER}`);
  const { page } = watched;
  const grid = page.getByRole("grid", { name: "Records" });
  const active = async () => page.locator(`[id="${await grid.getAttribute("aria-activedescendant")}"]`);
  await grid.focus();
  await page.keyboard.press("Control+End");
  expect(await (await active()).getAttribute("data-cell")).toBe(`${EXACT.records - 1},2`);
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  const address = await (await active()).textContent();
  await page.keyboard.press("Enter");
  const panel = page.getByRole("region", { name: "Record", exact: true });
  await panel.getByText(`Record 2 of ${EXACT.records}`).waitFor();
  await panel.getByText("Source address").waitFor();
  await watched.settled();
  await page.keyboard.press("ArrowDown");
  await panel.getByText(`Record 3 of ${EXACT.records}`).waitFor();
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  expect(await grid.evaluate((element) => element === document.activeElement)).toBe(true);

  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Shift+F10");
  await page.getByRole("menuitem", { name: /^Keep only/ }).click();
  await expect.poll(() => new URL(page.url()).searchParams.get("filter")).toBe(`${EXACT.filter} and src_addr = ${address}`);
  await watched.settled();
  expect(new Set(await texts(watched, "src_addr"))).toEqual(new Set([address]));
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("columns are chosen, ordered by keyboard, and kept in the address", async () => {
  const watched = await open(`/records?v=1&refresh=0&cols=src_addr,octets&${FILTER}`);
  const { page } = watched;
  const heads = () => page.getByRole("columnheader").allTextContents();
  await page.getByRole("button", { name: /^Columns/ }).click();
  await page.getByRole("searchbox", { name: "Search columns" }).fill("ip protocol");
  await page.getByRole("checkbox", { name: /^proto/ }).check();
  await page.getByRole("button", { name: /^proto, column 3 of 3/ }).focus();
  await page.keyboard.press("Alt+ArrowUp");
  await page.getByText("proto is column 2 of 3").waitFor({ state: "attached" });
  const grip = page.getByRole("button", { name: /^proto, column 2 of 3/ });
  await expect.poll(() => grip.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.press("Escape");
  expect((await heads()).map((text) => text.trim())).toEqual(["src_addr", "proto", "octets"]);
  expect(new URL(page.url()).searchParams.get("cols")).toBe("src_addr,proto,octets");
  await watched.settled();
  expect(new Set(await texts(watched, "proto"))).not.toContain("…");
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("a file has as many records as were promised", async () => {
  const watched = await open(`/records?v=1&refresh=0&cols=src_addr,dst_addr,octets&${FILTER}`);
  const { page } = watched;
  for (const [format, more] of [["CSV", 1], ["NDJSON", 0]] as const) {
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByRole("radio", { name: new RegExp(`^${format}`) }).check();
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: `Download ${EXACT.records} records` }).click(),
    ]);
    const lines = readFileSync(await file.path(), "utf8").trimEnd().split(/\r?\n/);
    expect(lines).toHaveLength(EXACT.records + more);
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("a live tail shows what comes, stands still when asked to, and tells what it holds back", async () => {
  const watched = await Watched.open(browser, weir.url, HIGH);
  const { page } = watched;
  await page.goto(`${weir.url}/records?v=1&live=1&cols=src_addr,octets&${FILTER}`);
  await page.getByText("Live", { exact: true }).waitFor();
  await weir.replay(EXACT.capture);
  const shown = page.locator("dl div", { hasText: "shown" }).locator("dd");
  await expect.poll(() => shown.textContent(), { timeout: 60_000 }).toBe(String(EXACT.records));
  expect((await texts(watched, "octets")).map(Number).sort((a, b) => b - a)).toEqual(truth.flows.map((flow) => flow.ip_bytes).sort((a, b) => b - a));
  await page.getByRole("button", { name: "Pause" }).click();
  await weir.replay(EXACT.capture);
  await page.getByText(`Paused, ${EXACT.records} held back`).waitFor();
  expect(await shown.textContent()).toBe(String(EXACT.records));
  await page.getByRole("button", { name: "Go on" }).click();
  await expect.poll(() => shown.textContent()).toBe(String(2 * EXACT.records));
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("exporters tell what they lost, and their templates", async () => {
  const watched = await open("/exporters?v=1&refresh=0");
  const { page } = watched;
  const told = await weir.get<{ exporters: unknown[] }>("/api/v1/exporters");
  expect(await page.locator("tr.row").count()).toBe(told.exporters.length);
  await page.getByRole("searchbox", { name: "Search exporters" }).fill("netflow9");
  expect(await page.locator("tr.row").count()).toBe(1);
  await page.locator("tr.row").getByRole("button").press("Enter");
  await page.getByText("Lost on the way").waitFor();
  await page.locator("summary", { hasText: "fields" }).first().click();
  await page.locator("details[open] li").first().waitFor();
  await page.getByRole("link", { name: "Its records" }).click();
  await expect.poll(() => new URL(page.url()).pathname).toBe("/records");
  await watched.settled();
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("the books of the page are those of the server, and balance", async () => {
  const watched = await open("/health?v=1&refresh=0");
  const { page } = watched;
  expect(await page.getByText("✓ balances").count()).toBe(3);
  const { ledger } = await weir.get<{ ledger: { records: { received: number } } }>("/api/v1/health");
  const row = page.getByRole("row", { name: /^Records/ });
  expect((await row.getByRole("cell").first().textContent())!.replaceAll("\u202f", "")).toBe(String(ledger.records.received));
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("records, exporters and health are fit for all, in both themes and widths", async () => {
  for (const [theme, viewport, width] of [["light", WIDE, "1440"], ["dark", NARROW, "390"], ["dark", WIDE, "1440"], ["light", NARROW, "390"]] as const) {
    const watched = await Watched.open(browser, weir.url, { colorScheme: theme, viewport });
    for (const name of ["records", "exporters", "health"]) {
      await watched.go(`/${name}?v=1&refresh=0`);
      if (name === "records") await watched.page.locator("[role=gridcell]").first().click();
      if (name === "exporters") await watched.page.locator("tr.row").getByRole("button").first().click();
      await watched.settled();
      expect(await watched.findings(), `${name} ${theme} ${width}`).toEqual([]);
      expect(await watched.overhang(), `${name} ${theme} ${width}`).toBe(0);
      await watched.shot(`${name}-${theme}-${width}`);
    }
    expect(watched.complaints).toEqual([]);
    await watched.close();
  }
});
