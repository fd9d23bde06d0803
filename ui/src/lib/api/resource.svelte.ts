// One question at a time: a newer one calls off the older; the last good answer stays in view
// while the next one is on its way.

import { isAborted, Problem } from "./client";

export class Resource<T> {
  data = $state.raw<T | undefined>();
  error = $state.raw<Problem | undefined>();
  loading = $state(false);
  /** Milliseconds from asking to answer, as the page felt it. */
  tookMs = $state<number | undefined>();
  #running: AbortController | undefined;

  async load(ask: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.loading = true;
    const started = performance.now();
    try {
      const data = await ask(running.signal);
      if (this.#running !== running) return;
      this.data = data;
      this.error = undefined;
      this.tookMs = performance.now() - started;
    } catch (error) {
      if (this.#running !== running || isAborted(error)) return;
      this.error = error instanceof Problem ? error : new Problem(0, "", "The page failed", String(error));
    } finally {
      if (this.#running === running) this.loading = false;
    }
  }

  /** Calls the running question off; the last answer stays. */
  cancel(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.loading = false;
  }
}
