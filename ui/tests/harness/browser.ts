/// <reference types="node" />
// Pages that are watched: whatever the console complains of, whatever the content security policy
// refuses, and every request to another host fails the test that opened the page.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ARTIFACTS = resolve(import.meta.dirname, "../../test-artifacts");

export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 390, height: 844 };

export function launch(): Promise<Browser> {
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
}

export class Watched {
  readonly complaints: string[] = [];
  private constructor(readonly page: Page, readonly url: string) {}

  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watched> {
    const context = await browser.newContext({ viewport: WIDE, reducedMotion: "reduce", timezoneId: "UTC", ...options });
    const page = await context.newPage();
    const watched = new Watched(page, url);
    const complain = (text: string) => watched.complaints.push(text);
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complain(`console: ${message.text()} ${message.location().url}`);
    });
    page.on("pageerror", (error) => complain(`thrown: ${error.stack ?? error.message}`));
    page.on("dialog", (dialog) => {
      complain(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      const to = request.url();
      if (!to.startsWith(url) && !/^(data|blob|about):/.test(to)) complain(`request to ${to}`);
    });
    await page.exposeFunction("weirRefused", (what: string) => complain(`refused by policy: ${what}`));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        const tell = (window as unknown as { weirRefused(what: string): void }).weirRefused;
        tell(`${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    return watched;
  }

  /** Opens an address of the console and waits until it has its answers. */
  async go(path: string): Promise<void> {
    await this.page.goto(this.url + path);
    await this.settled();
  }

  /** Nothing is on its way: no request for half a second, nothing that says it is busy or fades. */
  async settled(): Promise<void> {
    await this.page.waitForFunction(() => document.querySelector("main")?.childElementCount);
    await this.page.waitForLoadState("networkidle");
    // What was just clicked says so after a frame; what was busy fades back for some more.
    await this.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    await this.page.waitForFunction(
      () => !document.querySelector('[aria-busy="true"]') && !document.getAnimations().some((one) => one instanceof CSSTransition),
    );
  }

  /** Serious and critical findings of axe: a line for each rule, with where it was seen first. */
  async findings(): Promise<string[]> {
    // Why evaluate: the page's policy rightly refuses a script element that is put in.
    await this.page.evaluate(AXE);
    return this.page.evaluate(async () => {
      interface Found { id: string; impact: string | null; help: string; nodes: { target: unknown[]; failureSummary?: string }[] }
      const { axe } = window as unknown as { axe: { run(root: Document, options: object): Promise<{ violations: Found[] }> } };
      const { violations } = await axe.run(document, { resultTypes: ["violations"] });
      return violations
        .filter((found) => found.impact === "serious" || found.impact === "critical")
        .map(({ id, help, nodes }) => `${id}, ${nodes.length} times: ${nodes[0]?.target.join(" ")}: ${nodes[0]?.failureSummary ?? help}`);
    });
  }

  /** Pixels by which the page is wider than its window. */
  overhang(): Promise<number> {
    return this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  }

  async shot(name: string): Promise<void> {
    mkdirSync(ARTIFACTS, { recursive: true });
    await this.page.screenshot({ path: join(ARTIFACTS, `${name}.png`), fullPage: true });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
