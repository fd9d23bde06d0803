// Beyond loopback a page asks for the token once; scripts never see what it is remembered by.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, NARROW, Watched } from "./harness/browser";
import { EXACT } from "./harness/truth";
import { until, Weir } from "./harness/weir";

let weir: Weir;
let browser: Browser;
beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start({ host: "0.0.0.0" }), launch()]);
  await until("the token of the first start", async () => weir.token);
  await weir.replay(EXACT.capture);
  await weir.whenRows(EXACT.records);
});
afterAll(async () => {
  await browser?.close();
  await weir?.stop();
});

const WANTED = "/overview?v=1&from=-6h&refresh=0&m=pps";

/** What a page that is refused may say: the browser reports the refusal itself. */
const unexpected = (watched: Watched) => watched.complaints.filter((text) => !/status of 401/.test(text));

test("a wrong token is refused with what to do, the right one opens the page that was wanted", async () => {
  const watched = await Watched.open(browser, weir.url);
  const { page } = watched;
  await page.goto(weir.url + WANTED);
  await page.waitForURL(/\/sign-in/);
  const field = page.getByLabel("Token", { exact: true });
  await field.fill("weir_00000000000000000000000000000000");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  expect(await watched.findings()).toEqual([]);
  await field.fill(weir.token!);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/overview/);
  await watched.settled();
  expect(new URL(page.url()).search).toBe(new URL(weir.url + WANTED).search);
  await page.getByRole("table", { name: "Top senders" }).locator("tbody tr").first().waitFor();

  const cookies = await page.context().cookies();
  expect(cookies.map(({ name, httpOnly, sameSite, path }) => ({ name, httpOnly, sameSite, path }))).toEqual([
    { name: "weir_session", httpOnly: true, sameSite: "Strict", path: "/" },
  ]);
  const readable = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]));
  expect(readable).not.toContain("weir_session");
  expect(readable).not.toContain(weir.token!);

  await page.getByRole("button", { name: /^Menu/ }).click();
  await page.getByRole("menuitem", { name: /^Sign out/ }).click();
  await page.waitForURL(/\/sign-in/);
  expect(await page.context().cookies()).toEqual([]);
  expect(await page.evaluate(async () => (await fetch("/api/v1/schema")).status)).toBe(401);
  await page.goto(`${weir.url}/records`);
  await page.waitForURL(/\/sign-in/);
  expect(unexpected(watched)).toEqual([]);
  await watched.close();
});

test("a session that ends while the page is open asks anew", async () => {
  const watched = await Watched.open(browser, weir.url);
  const { page } = watched;
  await page.goto(`${weir.url}/sign-in`);
  await page.getByLabel("Token", { exact: true }).fill(weir.token!);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/overview/);
  await watched.settled();
  await page.context().clearCookies();
  await page.getByRole("link", { name: "Exporters", exact: true }).first().click();
  await page.waitForURL(/\/sign-in/);
  expect(unexpected(watched)).toEqual([]);
  await watched.close();
});

test.each(["light", "dark"] as const)("the page is fine in %s, wide and narrow", async (theme) => {
  for (const viewport of [undefined, NARROW]) {
    const watched = await Watched.open(browser, weir.url, { colorScheme: theme, ...(viewport ? { viewport } : {}) });
    await watched.go("/sign-in");
    expect(await watched.findings()).toEqual([]);
    expect(await watched.overhang()).toBe(0);
    await watched.shot(`sign-in-${theme}-${viewport?.width ?? 1440}`);
    expect(watched.complaints).toEqual([]);
    await watched.close();
  }
});
