// Days and clocks of a time zone, by what the browser knows of zones.

import { zoneName } from "../format/moment";

export interface Day {
  year: number;
  month: number;
  day: number;
}

export interface Clock {
  hour: number;
  minute: number;
  second: number;
}

const PARTS = new Map<string, Intl.DateTimeFormat>();

function formatter(zone: string): Intl.DateTimeFormat {
  let found = PARTS.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", {
      timeZone: zoneName(zone), hourCycle: "h23", calendar: "gregory", numberingSystem: "latn",
      year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    });
    PARTS.set(zone, found);
  }
  return found;
}

/** What calendar and clock on the wall of a zone show at a moment. */
export function wall(ms: number, zone: string): Day & Clock {
  const told: Record<string, number> = {};
  for (const { type, value } of formatter(zone).formatToParts(ms)) told[type] = Number(value);
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = told;
  return { year, month, day, hour, minute, second };
}

/**
 * The moment at which the wall of a zone shows this. An hour that comes twice is taken the first
 * time; one that is left out in spring is taken as the hour after it.
 */
export function instant({ year, month, day }: Day, clock: Partial<Clock>, zone: string): number {
  const { hour = 0, minute = 0, second = 0 } = clock;
  const asUtc = Date.UTC(year, month - 1, day, hour, minute, second);
  const ahead = (ms: number) => {
    const shown = wall(ms, zone);
    const floor = Math.floor(ms / 1e3) * 1e3;
    return Date.UTC(shown.year, shown.month - 1, shown.day, shown.hour, shown.minute, shown.second) - floor;
  };
  // Why: the offset before and after any change of clocks; whichever fits the wall is the right one.
  const [before, after] = [ahead(asUtc - 86400e3), ahead(asUtc + 86400e3)];
  const first = asUtc - before;
  if (ahead(first) === before) return first;
  const later = asUtc - after;
  return ahead(later) === after ? later : first;
}

export function dayAt(ms: number, zone: string): Day {
  const { year, month, day } = wall(ms, zone);
  return { year, month, day };
}

export function plusDays({ year, month, day }: Day, days: number): Day {
  const moved = new Date(Date.UTC(year, month - 1, day + days));
  return { year: moved.getUTCFullYear(), month: moved.getUTCMonth() + 1, day: moved.getUTCDate() };
}

/** False for the 31st of November. */
export function exists(day: Day): boolean {
  const same = plusDays(day, 0);
  return same.year === day.year && same.month === day.month && same.day === day.day;
}

/** Name of the zone as people say it: `UTC`, `Berlin`, or "" for the browser's own. */
export function zoneLabel(zone: string): string {
  const name = zoneName(zone);
  return (name?.split("/").pop() ?? "").replaceAll("_", " ");
}
