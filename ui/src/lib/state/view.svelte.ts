// What every page shares: range, time zone, filter, refresh. Reads and writes the address.

import { joined } from "../filter/condition";
import { session } from "../shell/session.svelte";
import { router } from "./router.svelte";
import { absolute, DEFAULT_RANGE, DEMO_RANGE, isLive, type Range, refreshSeconds, resolve, type Span } from "./time";

class View {
  /** Grows by one whenever live pages should ask again. */
  tick = $state(0);
  /** The moment that relative texts count from; moves with the tick, so that all charts agree. */
  now = $state(Date.now());
  #timer: number | undefined;

  get range(): Range {
    const usual = session.about?.demo ? DEMO_RANGE : DEFAULT_RANGE;
    return { from: router.get("from", usual.from), to: router.get("to", usual.to) };
  }
  get span(): Span {
    return resolve(this.range, this.now);
  }
  get filter(): string {
    return router.get("filter");
  }
  /** `local`, `utc`, or an IANA name. */
  get zone(): string {
    return router.get("tz", "local");
  }
  get isLive(): boolean {
    return isLive(this.range);
  }
  /** Seconds between refreshes; 0 when paused. */
  get refresh(): number {
    return refreshSeconds(router.get("refresh"));
  }

  setRange(range: Range): void {
    this.now = Date.now();
    router.set({ from: range.from, to: range.to });
  }
  setSpan(span: Span): void {
    this.setRange(absolute(span));
  }
  setFilter(filter: string): void {
    this.now = Date.now();
    router.set({ filter });
  }
  /** Adds a condition to the filter. */
  narrow(condition: string): void {
    this.setFilter(joined(this.filter, condition));
  }
  again(): void {
    this.now = Date.now();
    this.tick += 1;
  }

  /** Starts the clock that refreshes live ranges; stands still in hidden tabs, catches up when seen. */
  start(): () => void {
    return $effect.root(() => {
      $effect(() => {
        window.clearInterval(this.#timer);
        if (!this.isLive || this.refresh === 0) return;
        this.#timer = window.setInterval(() => {
          if (!document.hidden) this.again();
        }, this.refresh * 1e3);
        return () => window.clearInterval(this.#timer);
      });
      $effect(() => {
        const onvisible = () => {
          const isDue = this.isLive && this.refresh > 0 && Date.now() - this.now >= this.refresh * 1e3;
          if (!document.hidden && isDue) this.again();
        };
        document.addEventListener("visibilitychange", onvisible);
        return () => document.removeEventListener("visibilitychange", onvisible);
      });
    });
  }
}

export const view = new View();
