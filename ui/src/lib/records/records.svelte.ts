// The records behind a question: how many there are, and the pages of them that are looked at.
// Invariant: the range is pinned to absolute moments before the first page is asked for, so that
// the n-th record stays the n-th while more arrive.

import { api, isAborted, Problem } from "../api/client";
import { Resource } from "../api/resource.svelte";
import type { Answer, FlowRecord, RecordsPage, RecordsQuery, Stats, Value } from "../api/types";
import { PAGE, Pages } from "./pages";
import { recordAt } from "./cells";

export interface Sort {
  name: string;
  desc: boolean;
}

/** The order that the server has at hand. */
export const NEWEST: Sort = { name: "received_at", desc: true };

/**
 * Live ranges end a second ago: what was received until then is committed and will be counted,
 * so that no record slips in between others later.
 */
const NOW = "-1s";

interface Came {
  columns: Map<string, Value[]>;
}

export class Records {
  rows = $state(0);
  /** Grows whenever a page came or went. */
  version = $state(0);
  newer = $state(0);
  problem = $state.raw<Problem | undefined>();
  stats = $state.raw<Stats | undefined>();
  /** What the pages are of; undefined until they are counted. */
  pinned = $state.raw<RecordsQuery | undefined>();
  #columns: string[] = [];
  /** Grows with every question and when one is called off: what comes late is told by it. */
  #asked = 0;
  #count = new Resource<Answer>();
  #newer = new Resource<Answer>();
  #pages = new Pages<Came>({
    ask: (offset, limit, signal) => this.#page(offset, limit, signal),
    came: () => {
      this.problem = undefined;
      this.version += 1;
    },
    failed: (error) => this.#failed(error),
  });

  get counting(): boolean {
    return this.#count.loading;
  }

  /** Counts the records of a question and begins with the first page. */
  async ask(question: { from: string; to: string; filter: string; sort: Sort }, columns: string[]): Promise<void> {
    const asked = ++this.#asked;
    this.#pages.clear();
    this.#columns = columns;
    this.newer = 0;
    this.#newer.cancel();
    const { from, to, filter, sort } = question;
    await this.#count.load((signal) => count({ from, to: to === "now" || to === "" ? NOW : to, filter }, signal));
    if (asked !== this.#asked) return;
    const answer = this.#count.data;
    this.problem = this.#count.error;
    if (!answer) return;
    if (this.problem) {
      this.rows = 0;
      return;
    }
    const isUsual = sort.name === NEWEST.name && sort.desc;
    const order: Partial<RecordsQuery> = isUsual ? {} : { order_by: sort.name, order: sort.desc ? "desc" : "asc" };
    this.pinned = { from: answer.stats.from, to: answer.stats.to, filter, ...order };
    this.stats = answer.stats;
    this.rows = counted(answer);
    this.version += 1;
    this.show(0, 50);
  }

  /** Other columns of the same records. */
  choose(columns: string[]): void {
    const isMore = columns.some((name) => !this.#columns.includes(name));
    this.#columns = columns;
    if (isMore) this.#pages.renew();
    this.version += 1;
  }

  show(first: number, end: number): void {
    if (this.pinned) this.#pages.show(first, end, this.rows);
  }

  /** A value of a row; undefined while it is on its way. */
  value(row: number, column: string): Value | undefined {
    return this.#pages.page(row)?.columns.get(column)?.[row % PAGE];
  }
  has(row: number): boolean {
    return this.#pages.page(row) !== undefined;
  }

  /** Every column of one record. */
  async record(row: number, signal: AbortSignal): Promise<FlowRecord> {
    const page = await api.records({ ...this.pinned!, offset: row, limit: 1 }, signal);
    if (page.rows === 0) throw new Problem(0, "", "This record is gone", "retention may have dropped it", undefined, undefined, undefined, "ask again");
    return recordAt(page.columns, 0);
  }

  /** Asks how many records came since the range was pinned. */
  async look(): Promise<void> {
    const pinned = this.pinned;
    if (!pinned || this.counting) return;
    const { to: from, filter } = pinned;
    await this.#newer.load((signal) => count({ from, to: NOW, filter: filter ?? "" }, signal));
    const answer = this.#newer.data;
    if (answer && this.pinned === pinned && !this.#newer.loading) this.newer = counted(answer);
  }

  stop(): void {
    this.#asked += 1;
    this.#pages.stop();
    this.#count.cancel();
    this.#newer.cancel();
  }

  async #page(offset: number, limit: number, signal: AbortSignal): Promise<Came> {
    const page: RecordsPage = await api.records({ ...this.pinned!, columns: this.#columns, offset, limit }, signal);
    this.stats = page.stats;
    // Records may go between counting and looking: the end is where the server says it is.
    if (page.rows < limit && offset + page.rows < this.rows) this.rows = offset + page.rows;
    return { columns: new Map(page.columns.map((column) => [column.name, column.values])) };
  }

  #failed(error: unknown): void {
    if (isAborted(error)) return;
    this.problem = error instanceof Problem ? error : new Problem(0, "", "The page failed", String(error));
  }
}

/** Counts records themselves: the newest moment cannot come from sums, which outlive the records. */
function count(range: { from: string; to: string; filter: string }, signal: AbortSignal): Promise<Answer> {
  return api.query({ ...range, group_by: [], measures: ["flows", "max(received_at)"] }, signal);
}

function counted(answer: Answer): number {
  return Number(answer.total.find((column) => column.name === "flows")?.values[0] ?? 0);
}
