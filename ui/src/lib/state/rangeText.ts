// A range as people say it: "Last hour", "20 Nov 10:00 – 11:30 UTC".

import { isLive, PRESETS, type Range, resolve, type Span } from "./time";
import { type Clock, type Day, instant, plusDays, wall, zoneLabel } from "./zone";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const UNITS: Record<string, string> = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };

/** `90m` → `90 minutes`; `1h30m` → `1 h 30 min`. */
export function spanText(text: string): string {
  const [, count, letter = ""] = text.match(/^(\d+)([smhdw])$/) ?? [];
  if (count) return `${count} ${UNITS[letter]}${count === "1" ? "" : "s"}`;
  return text.replace(/(\d)([a-z]+)/g, (_, digit, unit) => `${digit} ${unit === "m" ? "min" : unit} `).trim();
}

function dayText(day: Day, thisYear: number): string {
  return `${day.day} ${MONTHS[day.month - 1]}${day.year === thisYear ? "" : ` ${day.year}`}`;
}

function clockText({ hour, minute, second }: Clock): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(hour)}:${two(minute)}${second ? `:${two(second)}` : ""}`;
}

/** Without `named` the time zone is left out; `readRange` then reads the text back. */
export function rangeText(range: Range, now: number, zone: string, named = true): string {
  if (isLive(range) && range.from.startsWith("-")) {
    const preset = PRESETS.find((other) => other.range.from === range.from);
    return preset?.label ?? `Last ${spanText(range.from.slice(1))}`;
  }
  const span = resolve(range, now);
  const label = named ? zoneLabel(zone) : "";
  const suffix = label ? ` ${label}` : "";
  const from = wall(span.from, zone);
  const year = wall(now, zone).year;
  if (isLive(range)) return `Since ${dayText(from, year)} ${clockText(from)}${suffix}`;
  return absoluteText(span, zone, year) + suffix;
}

function absoluteText(span: Span, zone: string, year: number): string {
  const [from, to] = [wall(span.from, zone), wall(span.to, zone)];
  const isMidnight = (at: Clock) => at.hour === 0 && at.minute === 0 && at.second === 0;
  if (isMidnight(from) && isMidnight(to)) {
    if (instant(plusDays(from, 1), {}, zone) === instant(to, {}, zone)) return dayText(from, year);
    return `${dayText(from, year)} – ${dayText(plusDays(to, -1), year)}`;
  }
  const sameDay = from.year === to.year && from.month === to.month && from.day === to.day;
  const end = sameDay ? clockText(to) : `${dayText(to, year)} ${clockText(to)}`;
  return `${dayText(from, year)} ${clockText(from)} – ${end}`;
}
