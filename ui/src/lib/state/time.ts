// Ranges of time as the API takes them: RFC 3339, `now`, or back from now (`-1h30m`).
// Everything here is pure; `now` is always given.

export interface Range {
  from: string;
  to: string;
}

/** A range in milliseconds since 1970 UTC. */
export interface Span {
  from: number;
  to: number;
}

const UNIT_MS: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 604800e3 };

export const DEFAULT_RANGE: Range = { from: "-1h", to: "now" };

/** The captures of the demo come again every few seconds, and begin when it is started. */
export const DEMO_RANGE: Range = { from: "-15m", to: "now" };

export const PRESETS: { label: string; range: Range }[] = [
  { label: "Last 5 minutes", range: { from: "-5m", to: "now" } },
  { label: "Last 15 minutes", range: { from: "-15m", to: "now" } },
  { label: "Last hour", range: { from: "-1h", to: "now" } },
  { label: "Last 6 hours", range: { from: "-6h", to: "now" } },
  { label: "Last 24 hours", range: { from: "-24h", to: "now" } },
  { label: "Last 7 days", range: { from: "-7d", to: "now" } },
  { label: "Last 30 days", range: { from: "-30d", to: "now" } },
];

const REFRESH_USUAL_S = 10;

/**
 * Seconds between refreshes as the address has them; 0 is none. Anybody can write a link: a timer
 * of less than a second would flood the server, and browsers run one of more than 24 days at once.
 */
export function refreshSeconds(text: string): number {
  if (text === "") return REFRESH_USUAL_S;
  const seconds = Number(text);
  return seconds > 0 ? Math.min(Math.max(seconds, 1), 86_400) : 0;
}

/** Milliseconds of `1h30m`, `90s` …; undefined when it is not a duration. */
export function duration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|[smhdw])/g)) {
    sum += Number(number) * (unit === "ms" ? 1 : (UNIT_MS[unit!] ?? NaN));
  }
  return sum;
}

/** The shortest text of a duration: `90s` becomes `1m30s`. */
export function durationText(ms: number): string {
  let rest = Math.round(ms / 1e3);
  if (rest <= 0) return "0s";
  let text = "";
  for (const [unit, seconds] of [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]] as const) {
    const count = Math.floor(rest / seconds);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * seconds;
  }
  return text;
}

/** A moment in milliseconds; undefined when the text is none. */
export function moment(text: string, now: number): number | undefined {
  if (text === "now" || text === "") return now;
  if (text.startsWith("-")) {
    const back = duration(text.slice(1));
    return back === undefined ? undefined : now - back;
  }
  const parsed = Date.parse(text);
  return Number.isNaN(parsed) ? undefined : parsed;
}

export function resolve(range: Range, now: number): Span {
  const to = moment(range.to, now) ?? now;
  const from = moment(range.from, now) ?? to - 3600e3;
  return from < to ? { from, to } : { from: to - 1e3, to };
}

/** RFC 3339 in UTC, to the millisecond; whole seconds without a fraction. */
export function iso(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** The range as absolute texts. */
export function absolute(span: Span): Range {
  return { from: iso(span.from), to: iso(span.to) };
}

export function isLive(range: Range): boolean {
  return range.to === "now" || range.to === "";
}

/** Moves by half the range; never past now, and live again where no more than a sliver is left to it. */
export function shift(range: Range, direction: -1 | 1, now: number): Range {
  const span = resolve(range, now);
  const length = span.to - span.from;
  const to = Math.min(span.to + (direction * length) / 2, now);
  if (direction === 1 && now - to < Math.max(10e3, length / 20)) return { from: `-${durationText(length)}`, to: "now" };
  return absolute({ from: to - length, to });
}

/** Doubles the range around its middle; never past now. */
export function zoomOut(range: Range, now: number): Range {
  const span = resolve(range, now);
  const length = span.to - span.from;
  if (isLive(range)) return { from: `-${durationText(length * 2)}`, to: "now" };
  const to = Math.min(span.to + length / 2, now);
  return absolute({ from: to - length * 2, to });
}

const BUCKETS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];

/** The narrowest usual bucket that gives at most `points` of them, in seconds. */
export function bucketFor(span: Span, points = 150): number {
  const wanted = (span.to - span.from) / 1e3 / points;
  return BUCKETS_S.find((seconds) => seconds >= wanted) ?? 86400;
}
