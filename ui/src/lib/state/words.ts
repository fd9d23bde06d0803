// Ranges of time as people write them: "-3h", "last 3 hours", "yesterday", "today 9:00",
// "2026-11-20 10:00 to 11:30". Pure; what is relative to now stays relative, so that it stays live.

import { duration, durationText, iso, type Range } from "./time";
import { type Clock, type Day, dayAt, exists, instant, plusDays } from "./zone";

export interface Misread {
  error: string;
  /** The part that was not understood, in UTF-16 units of the text. */
  offset: number;
  length: number;
}

interface Point {
  /** As the API takes it. */
  text: string;
  ms: number;
  day?: Day;
  /** The point is a whole day: it ends with the day. */
  whole?: boolean;
}

interface When {
  now: number;
  zone: string;
}

const UNITS: [RegExp, string][] = [
  [/^(s|secs?|seconds?)$/, "s"], [/^(m|mins?|minutes?)$/, "m"], [/^(h|hrs?|hours?)$/, "h"],
  [/^(d|days?)$/, "d"], [/^(w|wks?|weeks?)$/, "w"],
];
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const EXAMPLES = "try “-3h”, “yesterday” or “today 9:00 to 10:30”";

/** `3 hours`, `1h30m`, `90 min`, `hour` as the API writes them (`3h`); undefined when it is none. */
export function span(text: string): string | undefined {
  let rest = text.trim();
  if (/^[a-z]+$/.test(rest)) rest = `1 ${rest}`;
  if (/^(\d+(\.\d+)?)\s*months?$/.test(rest)) rest = `${30 * parseFloat(rest)} d`;
  let found = "";
  while (rest !== "") {
    const match = rest.match(/^(\d+(?:\.\d+)?)\s*([a-z]+)[\s,]*(?:and\s+)?/);
    const unit = match && UNITS.find(([words]) => words.test(match[2]!))?.[1];
    if (!unit) return undefined;
    found += match[1]! + unit;
    rest = rest.slice(match[0].length);
  }
  const ms = duration(found);
  return ms && Number.isInteger(ms / 1e3) ? shortest(found, ms) : undefined;
}

/** Keeps `24h` and `90m` as they were written; only what needs more than one unit is made over. */
function shortest(written: string, ms: number): string {
  return /^\d+[smhdw]$/.test(written) ? written : durationText(ms);
}

function readClock(text: string): Partial<Clock> | undefined {
  if (text === "noon") return { hour: 12 };
  if (text === "midnight") return { hour: 0 };
  const match = text.match(/^(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?\s*(am|pm)?$/);
  if (!match || (match[2] === undefined && match[4] === undefined)) return undefined;
  let hour = Number(match[1]);
  if (match[4]) {
    if (hour < 1 || hour > 12) return undefined;
    hour = (hour % 12) + (match[4] === "pm" ? 12 : 0);
  }
  const [minute, second] = [Number(match[2] ?? 0), Number(match[3] ?? 0)];
  return hour <= 23 && minute <= 59 && second <= 59 ? { hour, minute, second } : undefined;
}

function readDay(text: string, { now, zone }: When): Day | undefined {
  const today = dayAt(now, zone);
  if (text === "today") return today;
  if (text === "yesterday") return plusDays(today, -1);
  const weekday = WEEKDAYS.findIndex((name) => text.startsWith(name) && /^[a-z]{3}([a-z]*day)?$/.test(text));
  if (weekday >= 0) {
    const is = new Date(Date.UTC(today.year, today.month - 1, today.day)).getUTCDay();
    return plusDays(today, -((is - weekday + 7) % 7));
  }
  let match = text.match(/^(\d{4})[-/](\d{1,2})[-/](\d{1,2})$/);
  if (match) return real(Number(match[1]), Number(match[2]), Number(match[3]));
  match = text.match(/^(\d{1,2})\.(\d{1,2})\.(\d{4})?$/);
  if (match) return named(Number(match[1]), Number(match[2]), match[3], today);
  match = text.match(/^(\d{1,2})\.? ([a-z]{3})[a-z]*\.?(?:,? (\d{4}))?$/);
  if (match) return named(Number(match[1]), MONTHS.indexOf(match[2]!) + 1, match[3], today);
  match = text.match(/^([a-z]{3})[a-z]*\.? (\d{1,2})(?:,? (\d{4}))?$/);
  if (match) return named(Number(match[2]), MONTHS.indexOf(match[1]!) + 1, match[3], today);
  return undefined;
}

function real(year: number, month: number, day: number): Day | undefined {
  const found = { year, month, day };
  return exists(found) ? found : undefined;
}

/** A day without a year is the latest that is not to come. */
function named(day: number, month: number, year: string | undefined, today: Day): Day | undefined {
  if (year) return real(Number(year), month, day);
  const isToCome = month > today.month || (month === today.month && day > today.day);
  return real(isToCome ? today.year - 1 : today.year, month, day);
}

/** One point; `day` is the day that a bare time of day means. */
function readPoint(text: string, when: When, day?: Day): Point | undefined {
  const { now, zone } = when;
  if (text === "now") return { text: "now", ms: now };
  const back = text.startsWith("-") ? text.slice(1) : text.match(/^(.*) ago$/)?.[1];
  if (back !== undefined) {
    const length = span(back);
    return length ? { text: `-${length}`, ms: now - duration(length)! } : undefined;
  }
  if (/^\d{10}$/.test(text)) return { text: iso(Number(text) * 1e3), ms: Number(text) * 1e3 };
  if (/^\d{13}$/.test(text)) return { text: iso(Number(text)), ms: Number(text) };
  if (/^\d{4}-\d\d-\d\d[t ]\d\d:\d\d(:\d\d(\.\d+)?)?(z|[+-]\d\d:\d\d)$/.test(text)) {
    const ms = Date.parse(text.toUpperCase().replace(" ", "T"));
    return Number.isNaN(ms) ? undefined : { text: iso(ms), ms, day: dayAt(ms, zone) };
  }
  const bare = readClock(text);
  if (bare) {
    const on = day ?? dayAt(now, zone);
    const ms = instant(on, bare, zone);
    return { text: iso(ms), ms, day: on };
  }
  const whole = readDay(text, when);
  if (whole) {
    const ms = instant(whole, {}, zone);
    return { text: iso(ms), ms, day: whole, whole: true };
  }
  const parts = text.match(/^(.*?)(?:,|,? at|t)?[ t]((?:\d{1,2}(?::\d\d){1,2}|\d{1,2})\s*(?:am|pm)?|noon|midnight)$/);
  const [on, clock] = [parts && readDay(parts[1]!, when), parts && readClock(parts[2]!)];
  if (!on || !clock) return undefined;
  const ms = instant(on, clock, zone);
  return { text: iso(ms), ms, day: on };
}

const BETWEEN = /\s+(?:to|until|till|and|–|—|-)\s+|\s*(?:\.\.\.?|…|–|—)\s*/;

/** Reads a range. Times of day are those of `zone`; a trailing "utc" overrules it. */
export function readRange(written: string, now: number, zone: string): Range | Misread {
  let text = written.toLowerCase();
  const when = { now, zone };
  const utc = text.match(/\s+utc\s*$/);
  if (utc) {
    when.zone = "utc";
    text = text.slice(0, utc.index);
  }
  const start = text.length - text.trimStart().length;
  text = text.trim();
  const miss = (error: string, offset: number, length: number): Misread => ({ error, offset: offset + start, length });
  if (text === "") return { error: `Write a range: ${EXAMPLES}`, offset: 0, length: 0 };

  const live = span(text.replace(/^(?:(?:in |over )?the )?(last|past)\s+|^-/, ""));
  if (live) return { from: `-${live}`, to: "now" };

  const lead = text.match(/^(since|from|between|on)\s+/)?.[0] ?? "";
  const cut = text.slice(lead.length).match(BETWEEN);
  const first = text.slice(lead.length, cut ? lead.length + cut.index! : undefined).trim();
  const from = readPoint(first, when);
  if (!from) return miss(`“${first}” is not a point in time; ${EXAMPLES}`, lead.length, first.length);
  if (from.ms > now) return miss(`“${first}” lies in the future`, lead.length, first.length);
  if (!cut) return alone(from, lead.startsWith("since"), when);

  const at = lead.length + cut.index! + cut[0].length;
  const second = text.slice(at).trim();
  let to = second === "" ? undefined : readPoint(second, when, from.day);
  if (to && to.ms <= from.ms && readClock(second)) to = nextDay(to, second, when) ?? to;
  if (!to) return miss(second === "" ? "The end is missing" : `“${second}” is not a point in time`, at, second.length);
  const end = to.whole ? instant(plusDays(to.day!, 1), {}, when.zone) : to.ms;
  if (end <= from.ms) return miss("The range ends before it begins", at, second.length);
  return { from: from.text, to: end >= now ? "now" : to.whole ? iso(end) : to.text };
}

/** `22:00 to 3:00` ends on the day after, if that day has come. */
function nextDay(to: Point, clock: string, when: When): Point | undefined {
  const later = readPoint(clock, when, plusDays(to.day!, 1));
  return later && later.ms <= when.now ? later : undefined;
}

/** A single point: a whole day is that day, anything else lasts until now. */
function alone(from: Point, isSince: boolean, { now, zone }: When): Range {
  if (!from.whole || isSince) return { from: from.text, to: "now" };
  const end = instant(plusDays(from.day!, 1), {}, zone);
  return { from: from.text, to: end >= now ? "now" : iso(end) };
}
