// The whole state of a page as readable, versioned parameters of its address.
// Unknown keys are kept, so that a link made by a newer Weir survives a round through this one.

export const VERSION = 1;

export const PAGES = ["overview", "explore", "records", "exporters", "health", "sign-in"] as const;
export type Page = (typeof PAGES)[number];

export interface Location {
  page: Page;
  params: Record<string, string>;
  /** The version that the link claims, if this console does not know it. */
  newer?: number;
}

/** Reads an address. A newer version keeps the range of time and nothing else. */
export function read(path: string, search: string): Location {
  const word = path.replace(/^\/+/, "").split("/")[0] ?? "";
  const page = (PAGES as readonly string[]).includes(word) ? (word as Page) : "overview";
  const params: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(search)) params[name] = value;
  const version = Number(params.v ?? VERSION);
  delete params.v;
  if (version > VERSION) {
    const kept = Object.entries(params).filter(([name]) => ["from", "to", "tz"].includes(name));
    return { page, params: Object.fromEntries(kept), newer: version };
  }
  return { page, params };
}

/** Parameters as text, in a fixed order, empty ones left out. */
export function format(params: Record<string, string | undefined>): string {
  const kept = Object.entries(params).filter((entry): entry is [string, string] => !!entry[1]);
  const order = ["from", "to", "tz", "refresh", "filter"];
  const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  kept.sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
  const search = new URLSearchParams([["v", String(VERSION)], ...kept]);
  // Why: a link is read by people; these characters need no escape in a query string.
  return search.toString().replace(/%2C/g, ",").replace(/%2F/g, "/").replace(/%3A/g, ":");
}

export function address(page: Page, params: Record<string, string | undefined>): string {
  return `/${page}?${format(params)}`;
}
