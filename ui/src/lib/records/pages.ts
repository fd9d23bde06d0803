// Pages of rows kept near what is seen. Invariant: at most `max` pages, the least recently seen
// goes first; no request is under way for a page that is no longer wanted.

/** Rows a page. */
export const PAGE = 1_000;

/** Pages that are kept: 40,000 rows of the columns on show. */
const KEPT_MAX = 40;

/** Requests at a time: what is seen, and one ahead. */
const RUNNING_MAX = 2;

/** A bar that is dragged passes over pages: those that it stays on for so long are asked for. */
const SETTLE_MS = 60;

/** The pages to have for rows `first..end`, the most urgent first: seen ones, then neighbours. */
export function wanted(first: number, end: number, rows: number): number[] {
  if (rows === 0 || end <= first) return [];
  const last = Math.floor((Math.min(end, rows) - 1) / PAGE);
  const from = Math.floor(first / PAGE);
  const pages: number[] = [];
  for (let page = from; page <= last; page += 1) pages.push(page);
  const most = Math.floor((rows - 1) / PAGE);
  if (last < most) pages.push(last + 1);
  if (from > 0) pages.push(from - 1);
  return pages;
}

export interface Source<T> {
  /** Asks for rows `offset..offset + limit`. */
  ask(offset: number, limit: number, signal: AbortSignal): Promise<T>;
  /** A page came. */
  came(page: number, data: T): void;
  /** A page could not be had; it is asked for again when it is next wanted. */
  failed(error: unknown): void;
}

export class Pages<T> {
  /** In the order of use, the most recent last. */
  #kept = new Map<number, T>();
  /** Pages of an earlier question that are shown until the new ones come. */
  #stale = new Set<number>();
  #running = new Map<number, AbortController>();
  #wanted: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What the timer is set for. */
  #waiting = "";
  #begun = false;
  #refused = false;

  constructor(readonly source: Source<T>) {}

  /** The page of a row, if it is here. */
  page(row: number): T | undefined {
    return this.#kept.get(Math.floor(row / PAGE));
  }

  get kept(): number {
    return this.#kept.size;
  }
  get running(): number[] {
    return [...this.#running.keys()];
  }

  /** Says which rows are seen. Requests for pages that are far from them are called off. */
  show(first: number, end: number, rows: number): void {
    this.#wanted = wanted(first, end, rows);
    this.#refused = false;
    for (const page of this.#wanted) this.#touch(page);
    for (const [page, running] of this.#running) {
      if (this.#wanted.includes(page)) continue;
      this.#running.delete(page);
      running.abort();
    }
    const missing = this.#missing().join();
    // Why: a steady wheel comes by here often; only another set of pages begins another wait.
    if (missing === this.#waiting) return;
    clearTimeout(this.#timer);
    this.#waiting = missing;
    if (missing === "") return;
    if (this.#begun) this.#timer = setTimeout(() => this.#start(), SETTLE_MS);
    else this.#start();
  }

  /** Forgets everything. */
  clear(): void {
    this.stop();
    this.#begun = false;
    this.#kept.clear();
    this.#stale.clear();
  }

  /** What is kept stays on show, but is asked for anew: first what is seen now. */
  renew(): void {
    const seen = this.#wanted;
    this.stop();
    this.#stale = new Set(this.#kept.keys());
    this.#wanted = seen;
    this.#start();
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const running of this.#running.values()) running.abort();
    this.#running.clear();
    this.#wanted = [];
    this.#waiting = "";
  }

  #missing(): number[] {
    const isHere = (page: number) => this.#kept.has(page) && !this.#stale.has(page);
    return this.#wanted.filter((page) => !isHere(page) && !this.#running.has(page));
  }

  #touch(page: number): void {
    const data = this.#kept.get(page);
    if (data === undefined) return;
    this.#kept.delete(page);
    this.#kept.set(page, data);
  }

  #start(): void {
    this.#begun = true;
    this.#waiting = "";
    if (this.#refused) return;
    for (const page of this.#missing()) {
      if (this.#running.size >= RUNNING_MAX) return;
      void this.#fetch(page);
    }
  }

  async #fetch(page: number): Promise<void> {
    const running = new AbortController();
    this.#running.set(page, running);
    const isCurrent = () => this.#running.get(page) === running;
    try {
      const data = await this.source.ask(page * PAGE, PAGE, running.signal);
      if (!isCurrent()) return;
      this.#keep(page, data);
      this.#running.delete(page);
      this.source.came(page, data);
    } catch (error) {
      if (!isCurrent()) return;
      this.#running.delete(page);
      this.#refused = true;
      this.source.failed(error);
    }
    this.#start();
  }

  #keep(page: number, data: T): void {
    this.#stale.delete(page);
    this.#kept.delete(page);
    this.#kept.set(page, data);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) return;
      this.#kept.delete(oldest);
      this.#stale.delete(oldest);
    }
  }
}
