// The frame around the pages: filter, range of time, palette, views, keys.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, NARROW, Watched, WIDE } from "./harness/browser";
import { EXACT } from "./harness/truth";
import { Weir } from "./harness/weir";

let weir: Weir;
let browser: Browser;
beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start(), launch()]);
  await weir.replay(EXACT.capture);
  await weir.whenRows(EXACT.records);
});
afterAll(async () => {
  await browser?.close();
  await weir?.stop();
});

async function open(path: string): Promise<Watched> {
  const watched = await Watched.open(browser, weir.url);
  await watched.go(path);
  return watched;
}

const param = (watched: Watched, name: string) => new URL(watched.page.url()).searchParams.get(name);
/** A filter that is refused is a 400, which the browser reports by itself. */
const unexpected = (watched: Watched) => watched.complaints.filter((text) => !/status of 400.*filter\/parse/.test(text));

test("a filter is completed word by word, painted under the caret, and run", async () => {
  const watched = await open("/overview?refresh=0");
  const { page } = watched;
  await page.keyboard.press("/");
  const field = page.getByRole("combobox", { name: "Filter" });
  await page.keyboard.type("dst_por");
  await page.getByRole("option", { name: /^dst_port/ }).waitFor();
  await page.keyboard.press("Tab");
  await page.getByRole("option", { name: /^=/ }).waitFor();
  expect(await field.inputValue()).toBe("dst_port ");
  await page.keyboard.press("ArrowDown");
  const active = await field.getAttribute("aria-activedescendant");
  expect(await page.locator(`[id="${active}"]`).getAttribute("aria-selected")).toBe("true");
  await page.keyboard.press("Enter");
  await expect.poll(() => field.inputValue()).toBe("dst_port = ");
  await page.keyboard.type("5201");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type('and proto = tcp and not src_pod = "é😀"');
  await page.locator("form[role=search] .text", { hasText: "é😀" }).waitFor();
  // The painted copy has the same box as the text, over two lines.
  const boxes = await page.evaluate(() => {
    const text = document.querySelector("textarea")!;
    const paint = text.previousElementSibling!;
    return [text.getBoundingClientRect().toJSON(), paint.getBoundingClientRect().toJSON(), text.scrollHeight - text.clientHeight];
  });
  expect(boxes[0]).toEqual(boxes[1]);
  expect(boxes[2]).toBe(0);
  await page.keyboard.press("Enter");
  await expect.poll(() => param(watched, "filter")).toBe('dst_port = 5201\nand proto = tcp and not src_pod = "é😀"');
  expect(unexpected(watched)).toEqual([]);
  await watched.close();
});

test("a wrong name is pointed at, exchanged by a click, and undo takes it back", async () => {
  const watched = await open("/overview?refresh=0");
  const { page } = watched;
  const field = page.getByRole("combobox", { name: "Filter" });
  await field.fill('src_pod != "😀" and dst_prot = 443');
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  expect(await page.locator("form[role=search] .wrong").allTextContents()).toEqual(["dst_prot"]);
  expect(param(watched, "filter")).toBeNull();
  await page.getByRole("alert").getByRole("button", { name: "dst_port" }).click();
  expect(await field.inputValue()).toBe('src_pod != "😀" and dst_port = 443');
  await page.keyboard.press("Control+z");
  expect(await field.inputValue()).toBe('src_pod != "😀" and dst_prot = 443');
  await watched.close();
});

test("what was run and refused stays pointed at until it is changed", async () => {
  const watched = await open("/overview?refresh=0");
  const { page } = watched;
  await page.keyboard.press("/");
  await page.keyboard.type("proto = tpc");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  // Longer than an unfinished filter is left alone.
  await page.waitForTimeout(1_200);
  expect(await page.getByRole("alert").isVisible()).toBe(true);
  await page.keyboard.type("p");
  await page.getByRole("alert").waitFor({ state: "hidden" });
  expect(unexpected(watched)).toEqual([]);
  await watched.close();
});

test.each([WIDE, NARROW])("the range of time opens in sight wherever the page is scrolled to (%o)", async (viewport) => {
  const watched = await Watched.open(browser, weir.url, { viewport });
  await watched.go("/overview?refresh=0");
  const { page } = watched;
  await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
  await page.keyboard.press("t");
  const field = page.getByLabel("In words");
  await field.waitFor();
  await expect.poll(async () => {
    const box = await field.boundingBox();
    return box !== null && box.y >= 0 && box.y + box.height <= viewport.height;
  }).toBe(true);
  await watched.close();
});

test("the range is written in words, shifted and zoomed, and stays in the address", async () => {
  const watched = await open("/overview?tz=utc&refresh=0");
  const { page } = watched;
  await page.keyboard.press("t");
  const field = page.getByLabel("In words");
  await field.fill("2026-11-02 10:00 to noonish");
  await page.getByText("“noonish” is not a point in time").waitFor();
  expect(await page.getByRole("button", { name: "Apply" }).isDisabled()).toBe(true);
  await field.fill("2025-11-02 10:00 to 11:30");
  await page.keyboard.press("Enter");
  await expect.poll(() => [param(watched, "from"), param(watched, "to")]).toEqual(["2025-11-02T10:00:00Z", "2025-11-02T11:30:00Z"]);
  const button = page.getByRole("button", { name: /^Range of time/ });
  expect(await button.innerText()).toBe("2 Nov 2025 10:00 – 11:30 UTC");
  expect(await button.evaluate((node: Element) => node === document.activeElement)).toBe(true);
  await page.keyboard.press("[");
  await expect.poll(() => param(watched, "to")).toBe("2025-11-02T10:45:00Z");
  await page.keyboard.press("]");
  await page.keyboard.press("z");
  await expect.poll(() => [param(watched, "from"), param(watched, "to")]).toEqual(["2025-11-02T09:15:00Z", "2025-11-02T12:15:00Z"]);
  await page.reload();
  await watched.settled();
  expect(await button.innerText()).toBe("2 Nov 2025 09:15 – 12:15 UTC");
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("p pauses and goes on; a fixed range runs on to now", async () => {
  const watched = await open("/overview");
  const { page } = watched;
  const refresh = page.getByRole("button", { name: /^Refresh:/ });
  expect(await refresh.innerText()).toBe("10 s");
  await page.keyboard.press("p");
  await expect.poll(() => refresh.innerText()).toBe("Paused");
  expect(param(watched, "refresh")).toBe("0");
  await page.keyboard.press("p");
  await expect.poll(() => refresh.innerText()).toBe("10 s");
  await page.keyboard.press("[");
  await expect.poll(() => refresh.innerText()).toBe("Fixed");
  await page.keyboard.press("p");
  await expect.poll(() => [param(watched, "from"), param(watched, "to")]).toEqual(["-1h", "now"]);
  await watched.close();
});

test("the palette groups by a column; letters stay text while one writes, and can be switched off", async () => {
  const watched = await open("/overview?refresh=0");
  const { page } = watched;
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "What to do" }).waitFor();
  await page.keyboard.type("group dst_port");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/explore\?.*by=dst_port/);
  await watched.settled();
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await page.waitForURL(/\/overview/);
  await watched.settled();
  await page.keyboard.press("/");
  await page.keyboard.type("t?gx");
  expect(await page.getByRole("combobox", { name: "Filter" }).inputValue()).toBe("t?gx");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("x");
  await page.waitForURL(/\/exporters/);
  await watched.settled();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await watched.shot("help");
  expect(await watched.findings()).toEqual([]);
  await page.getByRole("checkbox", { name: /Single letters/ }).uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("t");
  expect(await page.getByLabel("In words").count()).toBe(0);
  expect(unexpected(watched)).toEqual([]);
  await watched.close();
});

test("a view with a hostile name is saved, renamed, overwritten and deleted", async () => {
  const watched = await open("/health?refresh=0&from=-2h");
  const { page } = watched;
  const name = '"><img src=x onerror=alert(1)>';
  await page.getByRole("button", { name: "Saved views" }).click();
  await page.getByLabel("Save this page as").fill(name);
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await stored()).map((view) => view.name)).toEqual([name]);
  await page.goto(`${weir.url}/health?v=1&refresh=0&from=-3h`);
  await page.getByRole("button", { name: "Saved views" }).click();
  await page.getByRole("link", { name }).waitFor();
  expect(await watched.findings()).toEqual([]);
  await page.getByRole("button", { name: `Rename ${name}` }).click();
  await page.getByLabel("New name").fill("Sources");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Overwrite Sources with this page" }).click();
  await page.getByRole("button", { name: "Overwrite", exact: true }).click();
  await expect.poll(async () => (await stored()).map((view) => [view.name, /from=-3h/.test(view.state)])).toEqual([["Sources", true]]);
  await page.getByRole("button", { name: "Delete Sources" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(stored).toEqual([]);
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

async function stored(): Promise<{ name: string; state: string }[]> {
  return (await weir.get<{ views: { name: string; state: string }[] }>("/api/v1/views")).views;
}
