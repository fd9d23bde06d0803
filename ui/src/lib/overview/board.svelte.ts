// The answers of the overview. The first load shows each as it comes; a refresh is shown as a
// whole, so that no number on the page disagrees with its neighbour and nothing jumps twice.

import { api, isAborted, Problem } from "../api/client";
import type { Answer } from "../api/types";
import type { Questions } from "./plan";

export type Part = keyof Questions;

/** An answer with what was asked: labels and links are made from that, not from newer choices. */
export interface Told {
  answer: Answer;
  by: string[];
  measure: string;
  bucketMs: number;
}
export type Parts = Partial<Record<Part, Told>>;

export class Board {
  parts = $state.raw<Parts>({});
  error = $state.raw<Problem | undefined>();
  loading = $state(false);
  /** Rounds that came back whole; 0 while the first is on its way. */
  rounds = $state(0);
  #running: AbortController | undefined;

  async load(asked: Questions, measure: string, bucketMs: number): Promise<void> {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.loading = true;
    const found: Parts = {};
    const first = this.rounds === 0;
    try {
      await Promise.all((Object.keys(asked) as Part[]).map(async (part) => {
        const answer = await api.query(asked[part], running.signal);
        found[part] = { answer, by: asked[part].group_by ?? [], measure, bucketMs };
        if (first && this.#running === running) this.parts = { ...found };
      }));
      if (this.#running !== running) return;
      this.parts = found;
      this.error = undefined;
      this.rounds += 1;
    } catch (error) {
      if (this.#running !== running || isAborted(error)) return;
      running.abort();
      this.error = error instanceof Problem ? error : new Problem(0, "", "The page failed", String(error));
    } finally {
      if (this.#running === running) this.loading = false;
    }
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.loading = false;
  }
}
