import { expect, test } from "vitest";
import { dayAt, exists, instant, plusDays, wall, zoneLabel } from "./zone";

const at = (text: string) => Date.parse(text);
const day = (year: number, month: number, d: number) => ({ year, month, day: d });

test("a wall clock is read and found again in any zone", () => {
  for (const zone of ["utc", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"]) {
    const ms = at("2026-11-20T16:04:05Z");
    const shown = wall(ms, zone);
    expect(instant(shown, shown, zone)).toBe(ms);
  }
  expect(dayAt(at("2026-11-20T23:30:00Z"), "Europe/Berlin")).toEqual(day(2026, 11, 21));
});

test("clock changes: the lost hour is the one after, the double hour its first", () => {
  expect(instant(day(2026, 3, 29), { hour: 2, minute: 30 }, "Europe/Berlin")).toBe(at("2026-03-29T01:30:00Z"));
  expect(instant(day(2026, 10, 25), { hour: 2, minute: 30 }, "Europe/Berlin")).toBe(at("2026-10-25T00:30:00Z"));
  expect(instant(day(2026, 10, 26), {}, "Europe/Berlin")).toBe(at("2026-10-25T23:00:00Z"));
});

test("days", () => {
  expect(plusDays(day(2026, 3, 1), -1)).toEqual(day(2026, 2, 28));
  expect(exists(day(2026, 2, 29))).toBe(false);
  expect(exists(day(2028, 2, 29))).toBe(true);
  expect(zoneLabel("America/New_York")).toBe("New York");
});
