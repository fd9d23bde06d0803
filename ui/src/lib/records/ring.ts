// The newest records of a live tail, bounded, with honest counts of what is not shown.

export class Ring<T> {
  #rows: T[] = [];
  #held: T[] = [];
  #isPaused = false;
  /** Records that came since the start. */
  came = 0;
  /** Records that passed by while the view stood still, beyond what is held back for it. */
  missed = 0;

  constructor(readonly max: number) {}

  get rows(): number {
    return this.#rows.length;
  }
  /** Records that wait for the view to go on. */
  get held(): number {
    return this.#held.length;
  }
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** The n-th row, the newest first. */
  at(row: number): T | undefined {
    return this.#rows[this.#rows.length - 1 - row];
  }

  push(records: T[]): void {
    this.came += records.length;
    if (!this.#isPaused) {
      this.#rows = newest([...this.#rows, ...records], this.max);
      return;
    }
    const held = [...this.#held, ...records];
    this.#held = newest(held, this.max);
    this.missed += held.length - this.#held.length;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#rows = newest([...this.#rows, ...this.#held], this.max);
    this.#held = [];
    this.missed = 0;
  }

  clear(): void {
    this.#rows = [];
    this.#held = [];
    this.came = 0;
    this.missed = 0;
  }
}

function newest<T>(rows: T[], max: number): T[] {
  return rows.length > max ? rows.slice(rows.length - max) : rows;
}

/** Events a second over the last few seconds. `now` is in milliseconds and never goes back. */
export class Meter {
  #seconds: { at: number; count: number }[] = [];
  #since: number | undefined;

  constructor(readonly spanMs = 5_000) {}

  add(count: number, now: number): void {
    this.#since ??= now;
    this.#forget(now);
    this.#seconds.push({ at: now, count });
  }

  rate(now: number): number {
    this.#forget(now);
    if (this.#since === undefined) return 0;
    const span = Math.min(this.spanMs, Math.max(now - this.#since, 1_000));
    return this.#seconds.reduce((sum, second) => sum + second.count, 0) / (span / 1e3);
  }

  #forget(now: number): void {
    this.#seconds = this.#seconds.filter((second) => now - second.at < this.spanMs);
  }
}

/** Milliseconds to wait before the n-th attempt (from 1) to come back: doubling, then steady. */
export function backOff(attempt: number): number {
  return Math.min(1_000 * 2 ** (attempt - 1), 30_000);
}
