// A live tail: asks for records as they arrive, comes back by itself when the connection breaks,
// and says at any moment what it shows and what it does not.

import { api, isAborted, Problem } from "../api/client";
import type { FlowRecord } from "../api/types";
import { backOff, Meter, Ring } from "./ring";
import { SseReader } from "./sse";

/** Rows that are kept to look at. */
export const TAIL_MAX = 2_000;

/** Records are shown in strokes, not one by one: four a second are read as they come. */
const STROKE_MS = 250;

/** Waiting records of one stroke; with a cap of some thousand a second it is never reached. */
const STROKE_MAX = 20_000;

export type TailState =
  | { is: "off" }
  | { is: "connecting" }
  | { is: "live" }
  | { is: "waiting"; seconds: number; why: string }
  | { is: "refused"; problem: Problem };

export class Tail {
  state = $state.raw<TailState>({ is: "off" });
  /** Grows whenever the rows changed. */
  version = $state(0);
  rate = $state(0);
  came = $state(0);
  held = $state(0);
  missed = $state(0);
  skipped = $state(0);
  unexamined = $state(0);
  paused = $state(false);
  #ring = new Ring<FlowRecord>(TAIL_MAX);
  #meter = new Meter();
  #new: FlowRecord[] = [];
  #running: AbortController | undefined;
  #stroke: number | undefined;

  get rows(): number {
    void this.version;
    return this.#ring.rows;
  }
  at(row: number): FlowRecord | undefined {
    return this.#ring.at(row);
  }

  /** Starts anew with a filter. Every column is asked for, so that a record can be opened. */
  start(filter: string): void {
    this.stop();
    this.#ring.clear();
    this.#meter = new Meter();
    this.skipped = 0;
    this.unexamined = 0;
    this.#running = new AbortController();
    this.#stroke = window.setInterval(() => this.#show(), STROKE_MS);
    this.#show();
    void this.#run(filter, this.#running.signal);
  }

  stop(): void {
    this.#running?.abort();
    window.clearInterval(this.#stroke);
    this.#new = [];
    this.state = { is: "off" };
  }

  pause(): void {
    if (this.paused) return;
    this.#show();
    this.paused = true;
    this.#ring.pause();
  }

  resume(): void {
    this.paused = false;
    this.#ring.resume();
    this.#show();
    this.version += 1;
  }

  async #run(filter: string, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      let why = "the server ended it";
      try {
        this.state = { is: "connecting" };
        const response = await api.tail(filter, signal);
        if (signal.aborted) return;
        this.state = { is: "live" };
        attempt = 0;
        await this.#read(response, signal);
      } catch (error) {
        if (signal.aborted || isAborted(error)) return;
        // A filter that does not parse will not parse in a second either; busy servers may free up.
        if (error instanceof Problem && error.status >= 400 && error.status < 500) {
          this.state = { is: "refused", problem: error };
          return;
        }
        why = String((error as Error).message);
      }
      const until = Date.now() + backOff(Math.max(attempt, 1));
      while (!signal.aborted && Date.now() < until) {
        this.state = { is: "waiting", seconds: Math.ceil((until - Date.now()) / 1e3), why };
        await new Promise((done) => window.setTimeout(done, 250));
      }
    }
  }

  async #read(response: Response, signal: AbortSignal): Promise<void> {
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const events = new SseReader();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done || signal.aborted) return;
        for (const event of events.push(value)) this.#take(event.kind, event.data);
      }
    } finally {
      // Why: a stream that nobody reads would hold one of the server's tails, which are few.
      void reader.cancel().catch(() => {});
    }
  }

  #take(kind: string, data: string): void {
    const told = JSON.parse(data);
    if (kind === "record") {
      if (this.#new.length >= STROKE_MAX) this.#show();
      this.#new.push(told as FlowRecord);
    } else if (kind === "skipped") {
      this.skipped += Number(told.skipped) || 0;
      this.unexamined += Number(told.unexamined) || 0;
    }
  }

  #show(): void {
    const now = performance.now();
    if (this.#new.length > 0) {
      this.#meter.add(this.#new.length, now);
      this.#ring.push(this.#new);
      this.#new = [];
      if (!this.#ring.isPaused) this.version += 1;
    }
    this.rate = this.#meter.rate(now);
    this.came = this.#ring.came;
    this.held = this.#ring.held;
    this.missed = this.#ring.missed;
  }
}
