// Timings of the console, in a real Chromium against a real server (bench/README.md, "The console").
//
//   WEIR_BIN=target/release/weir WEIR_BENCH=target/release/weir-bench node bench/console.mjs
//
// Figures are medians of RUNS; each run has a cold browser profile. Nothing here fails on a figure:
// the machine decides those, people read them.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(new URL("../ui/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const WEIR = process.env.WEIR_BIN ?? "target/release/weir";
const LOAD = process.env.WEIR_BENCH ?? "target/release/weir-bench";
const ROWS = Number(process.env.ROWS ?? 1_000_000);
const RUNS = Number(process.env.RUNS ?? 5);
const THROTTLE = 4;
const WIDE = { width: 1440, height: 900 };

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const part = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const rest = (time) => new Promise((go) => setTimeout(go, time));

function freePort() {
  return new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

async function serve() {
  const [http, udp] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), "weir-bench-console-"));
  const args = ["serve", "--data", folder, "--http", `127.0.0.1:${http}`, "--listen", `udp:127.0.0.1:${udp}`];
  const child = spawn(WEIR, args, { stdio: "ignore" });
  const url = `http://127.0.0.1:${http}`;
  while (!(await fetch(`${url}/readyz`).then((answer) => answer.ok, () => false))) {
    if (child.exitCode !== null) throw new Error(`${WEIR} ended`);
    await rest(50);
  }
  const rows = async () => {
    const body = JSON.stringify({ from: "-1h", group_by: [], measures: ["flows"] });
    const answer = await fetch(`${url}/api/v1/query`, { method: "POST", body, headers: { "content-type": "application/json" } });
    return Number((await answer.json()).total[0]?.values[0] ?? 0);
  };
  const stop = async () => {
    const ended = new Promise((go) => child.once("exit", go));
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { url, udp, rows, stop };
}

/** A page with a cold cache; `slow` divides the processor's speed. */
async function open(browser, slow = 1) {
  const context = await browser.newContext({ viewport: WIDE });
  const page = await context.newPage();
  if (slow > 1) {
    const devtools = await context.newCDPSession(page);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: slow });
  }
  await page.addInitScript(() => {
    let before = performance.now();
    const beat = () => {
      const now = performance.now();
      // A timer of 10 ms that is at most 50 ms late: a click would be acted on at once.
      const prompt = now - before <= 60;
      before = now;
      if (!window.ready && prompt && document.querySelector("main button")) window.ready = now;
      setTimeout(beat, 10);
    };
    beat();
    window.tasks = [];
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((task) => [task.startTime, task.duration])))
      .observe({ type: "longtask", buffered: true });
  });
  return page;
}

/**
 * Interactive: the page's controls are there and the main thread answers within 50 ms. Drawn: lists
 * and chart have their figures, which includes the server's time. The longest task is the longest
 * that a click could have to wait until then.
 */
async function interactive(browser, url, slow) {
  const page = await open(browser, slow);
  await page.goto(`${url}/overview?refresh=0`, { waitUntil: "commit" });
  const drawn = await page.waitForFunction(
    () => document.querySelectorAll("main tbody tr").length >= 8 && document.querySelector("main canvas") && performance.now(),
    undefined, { polling: "raf" },
  );
  const figures = await page.evaluate(async () => {
    const quiet = () => performance.now() - Math.max(0, ...window.tasks.map(([at, took]) => at + took)) > 1000;
    while (!quiet()) await new Promise((go) => setTimeout(go, 100));
    const painted = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0;
    const blocked = window.tasks.reduce((sum, [, took]) => sum + Math.max(0, took - 50), 0);
    return { painted, interactive: Math.max(painted, window.ready), blocked, longest: Math.max(0, ...window.tasks.map(([, took]) => took)) };
  });
  figures.drawn = await drawn.jsonValue();
  await page.context().close();
  return figures;
}

/** An answer of 50 groups in 300 buckets, in place of the server's. */
function synthetic(query) {
  const bucket = Number.parseInt(query.bucket, 10) * 1000;
  const end = Math.floor(Date.parse(query.to) / bucket) * bucket || Math.floor(Date.now() / bucket) * bucket;
  const start = end - 300 * bucket;
  const times = Array.from({ length: 300 }, (_, i) => new Date(start + i * bucket).toISOString());
  const groups = Array.from({ length: 50 }, (_, i) => `10.0.0.${i}`);
  const value = (group, i) => 1e6 * (1 + Math.sin(i / 9 + group) + (group % 7)) + 1e5 * ((i * 7919 + group * 104729) % 13);
  const column = (name, type, values) => ({ name, type, unit: "", values });
  const total = times.map((_, i) => groups.reduce((sum, _, group) => sum + value(group, i), 0));
  const measure = query.measures[0];
  return {
    columns: [
      column("time", "time", groups.flatMap(() => times)),
      ...query.group_by.map((name) => column(name, "addr", groups.flatMap((group) => times.map(() => group)))),
      column(measure, "f64", groups.flatMap((_, group) => times.map((_, i) => value(group, i)))),
      column("flows", "u64", groups.flatMap(() => times.map(() => 3))),
    ],
    other: [], total: [column("time", "time", times), column(measure, "f64", total), column("flows", "u64", total.map(() => 150))],
    stats: {
      tier: "raw", from: new Date(start).toISOString(), to: new Date(end).toISOString(), segments: 1, blocks: 1, blocks_pruned: 0,
      rows: 15000, rows_matched: 15000, rows_rate_unknown: 0, blocks_damaged: 0, notes: [], ms: 1,
    },
  };
}

/** From the click on another view to the second frame after it: the chart is on the screen. */
async function redraws(browser, url, slow) {
  const page = await open(browser, slow);
  await page.route("**/api/v1/query", async (route) => {
    const query = route.request().postDataJSON();
    if (!query.bucket) return route.continue();
    return route.fulfill({ json: synthetic(query) });
  });
  await page.goto(`${url}/explore?v=1&from=-5h&to=now&refresh=0&by=src_addr&n=50&bucket=60s&view=area`);
  await page.waitForSelector("main canvas");
  await page.waitForLoadState("networkidle");
  const took = { stacked: [], lines: [] };
  for (let run = 0; run < RUNS * 2; run += 1) {
    for (const [kind, name] of [["lines", /^lines$/i], ["stacked", /^(stacked( area)?|area)$/i]]) {
      const button = page.getByRole("main").getByRole("radio", { name }).or(page.getByRole("main").getByRole("button", { name })).first();
      const handle = await button.elementHandle();
      took[kind].push(await page.evaluate(async (target) => {
        const start = performance.now();
        (target.closest("label") ?? target).click();
        await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
        return performance.now() - start;
      }, handle));
      await page.waitForLoadState("networkidle");
    }
  }
  await page.context().close();
  return { lines: median(took.lines), stacked: median(took.stacked) };
}

/** Scrolls a table of all records, by the wheel and by dragging the bar, and looks at every frame. */
async function scrolls(browser, url) {
  const page = await open(browser);
  const now = new Date().toISOString();
  const hour = new Date(Date.now() - 3600e3).toISOString();
  await page.goto(`${url}/records?v=1&from=${hour}&to=${now}&refresh=0`);
  const grid = page.getByRole("grid");
  await page.waitForFunction((rows) => Number(document.querySelector('[role="grid"]')?.getAttribute("aria-rowcount")) > rows, ROWS * 0.9);
  await page.waitForLoadState("networkidle");
  const watch = () => page.evaluate(() => {
    const grid = document.querySelector('[role="grid"]');
    const scroller = [grid, ...grid.querySelectorAll("*")].find((part) => part.scrollHeight > part.clientHeight + 1000) ?? grid;
    window.scroller = scroller;
    window.frames_ = [];
    window.watching = true;
    let before = performance.now();
    const frame = (at) => {
      const box = grid.getBoundingClientRect();
      const rows = [...grid.querySelectorAll('[role="row"]')].filter((row) => {
        const { top, bottom } = row.getBoundingClientRect();
        return bottom > box.top + 40 && top < box.bottom;
      });
      const covered = rows.reduce((sum, row) => sum + row.getBoundingClientRect().height, 0);
      const waiting = rows.filter((row) => row.textContent.trim() === "").length;
      window.frames_.push({ took: at - before, blank: covered < (box.height - 40) * 0.9, waiting: waiting / Math.max(1, rows.length) });
      before = at;
      if (window.watching) requestAnimationFrame(frame);
    };
    requestAnimationFrame((at) => { before = at; requestAnimationFrame(frame); });
  });
  const seen = async () => page.evaluate(() => { window.watching = false; return window.frames_; });

  const box = await grid.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await watch();
  for (let i = 0; i < 120; i += 1) await page.mouse.wheel(0, 400);
  await rest(300);
  const wheel = await seen();

  await watch();
  // The bar itself is the system's and headless has none to drag: its positions are set instead.
  await page.evaluate(async () => {
    for (let i = 0; i < 180; i += 1) {
      const share = (1 + Math.sin((i / 180) * 6.28 - 1.57)) / 2;
      window.scroller.scrollTop = share * (window.scroller.scrollHeight - window.scroller.clientHeight);
      await new Promise((go) => requestAnimationFrame(go));
    }
  });
  await page.waitForLoadState("networkidle");
  const drag = await seen();
  await page.context().close();
  const told = (frames) => ({
    frames: frames.length, p50: part(frames.map((f) => f.took), 0.5), p95: part(frames.map((f) => f.took), 0.95),
    longest: Math.max(...frames.map((f) => f.took)), blank: frames.filter((f) => f.blank).length,
    waiting: frames.filter((f) => f.waiting > 0.5).length,
  });
  return { wheel: told(wheel), drag: told(drag) };
}

const weir = await serve();
const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
try {
  console.log(`filling a store with ${ROWS} records`);
  const fill = ["load", "--to", `127.0.0.1:${weir.udp}`, "--protocol", "ipfix", "--flows", String(ROWS), "--rate", "100000"];
  if (spawnSync(LOAD, fill, { stdio: "ignore" }).status !== 0) throw new Error(`${LOAD} ${fill.join(" ")} failed`);
  let rows = 0;
  while (rows !== (rows = await weir.rows()) || rows === 0) await rest(1000);
  console.log(`${rows} records kept; load average ${loadavg().map((n) => n.toFixed(1)).join(" ")}; medians of ${RUNS}\n`);

  for (const slow of [1, THROTTLE]) {
    const runs = [];
    for (let run = 0; run < RUNS; run += 1) runs.push(await interactive(browser, weir.url, slow));
    const of = (name) => ms(median(runs.map((run) => run[name])));
    console.log(`overview, ${slow}× throttle: painted ${of("painted")}, interactive ${of("interactive")}, all drawn ${of("drawn")}, longest task ${of("longest")}, blocked ${of("blocked")}`);
  }
  for (const slow of [1, THROTTLE]) {
    const { lines, stacked } = await redraws(browser, weir.url, slow);
    console.log(`redraw of 50 series × 300 points, ${slow}× throttle: lines ${ms(lines)}, stacked ${ms(stacked)}`);
  }
  const { wheel, drag } = await scrolls(browser, weir.url);
  for (const [name, told] of [["wheel", wheel], ["bar dragged end to end", drag]]) {
    console.log(`${rows} records, ${name}: ${told.frames} frames, ${ms(told.p50)} median, ${ms(told.p95)} p95, ${ms(told.longest)} longest; ${told.blank} blank, ${told.waiting} with most rows on their way`);
  }
} finally {
  await browser.close();
  await weir.stop();
}
