// Which page is open and its parameters; the address bar is the only place where they are kept.

import { address, type Page, read } from "./url";

type Change = Record<string, string | undefined>;

/** Parameters that stay when another page is opened. */
const SHARED = ["from", "to", "tz", "refresh", "filter"];

class Router {
  #location = $state.raw(read(window.location.pathname, window.location.search));

  constructor() {
    window.addEventListener("popstate", () => {
      this.#location = read(window.location.pathname, window.location.search);
    });
  }

  get page(): Page {
    return this.#location.page;
  }
  get newer(): number | undefined {
    return this.#location.newer;
  }
  get params(): Record<string, string> {
    return this.#location.params;
  }
  get(name: string, fallback = ""): string {
    return this.#location.params[name] ?? fallback;
  }

  /** Changes parameters of the open page; undefined or "" removes one. */
  set(change: Change, { replace = false } = {}): void {
    this.#move(this.page, { ...this.params, ...change }, replace);
  }

  /** Opens a page. What all pages share (range, filter, time zone, refresh) comes along. */
  open(page: Page, change: Change = {}): void {
    this.#move(page, { ...this.#shared(), ...change }, false);
  }

  /** Address of a page for a link, with what all pages share. */
  href(page: Page, change: Change = {}): string {
    return address(page, { ...this.#shared(), ...change });
  }

  /** Opens an address of this console, as a saved view or the sign-in page holds it. */
  restore(path: string, search: string, { replace = false } = {}): void {
    const location = read(path, search);
    this.#move(location.page, location.params, replace);
  }

  #shared(): Change {
    return Object.fromEntries(SHARED.map((name) => [name, this.params[name]]));
  }

  #move(page: Page, params: Change, replace: boolean): void {
    const next = address(page, params);
    if (next === window.location.pathname + window.location.search) return;
    window.history[replace ? "replaceState" : "pushState"](null, "", next);
    this.#location = read(window.location.pathname, window.location.search);
  }
}

export const router = new Router();

/** Lets a plain link change the page without loading it anew; modified clicks stay the browser's. */
export function followInside(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest("a");
  // A place on this page (`#main`) is the browser's to go to, and to put the focus on.
  if (!link || link.target || link.hasAttribute("download") || link.getAttribute("href")?.startsWith("#")) return;
  const url = new URL(link.href, window.location.href);
  const words = ["overview", "explore", "records", "exporters", "health", "sign-in"];
  const inside = url.pathname === "/" || words.includes(url.pathname.slice(1));
  if (url.origin !== window.location.origin || !inside) return;
  event.preventDefault();
  router.restore(url.pathname, url.search);
}
