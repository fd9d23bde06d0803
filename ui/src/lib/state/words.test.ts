import { expect, test } from "vitest";
import { readRange } from "./words";

const NOW = Date.parse("2026-11-20T16:04:05Z"); // a Friday
const read = (text: string, zone = "utc") => readRange(text, NOW, zone);

test.each([
  ["-3h", "-3h"], ["3h", "-3h"], ["last 3 hours", "-3h"], ["Last hour", "-1h"], ["past 90 min", "-90m"],
  ["the last 2 days", "-2d"], ["1h30m", "-1h30m"], ["1 hour and 30 minutes", "-1h30m"], ["last week", "-1w"],
  ["  last   24 h ", "-24h"], ["1.5h", "-1h30m"], ["last month", "-30d"], ["-15m to now", "-15m"], ["2 hours ago", "-2h"],
])("%s lasts until now", (text, from) => {
  expect(read(text)).toEqual({ from, to: "now" });
});

test.each([
  ["-3h to -1h", "-3h", "-1h"],
  ["yesterday", "2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z"],
  ["today", "2026-11-20T00:00:00Z", "now"],
  ["today 9:00", "2026-11-20T09:00:00Z", "now"],
  ["9:00", "2026-11-20T09:00:00Z", "now"],
  ["today 9:00 to 10:30", "2026-11-20T09:00:00Z", "2026-11-20T10:30:00Z"],
  ["yesterday 2pm – 3:30 pm", "2026-11-19T14:00:00Z", "2026-11-19T15:30:00Z"],
  ["yesterday at noon until midnight", "2026-11-19T12:00:00Z", "2026-11-20T00:00:00Z"],
  ["2026-11-20 10:00 to 11:30", "2026-11-20T10:00:00Z", "2026-11-20T11:30:00Z"],
  ["yesterday 22:00 to 3:00", "2026-11-19T22:00:00Z", "2026-11-20T03:00:00Z"],
  ["2026-11-20 10:00 - 11:30", "2026-11-20T10:00:00Z", "2026-11-20T11:30:00Z"],
  ["2026-11-20T10:00:00Z..2026-11-20T12:00:00+01:00", "2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"],
  ["from 18 nov to 19 nov", "2026-11-18T00:00:00Z", "2026-11-20T00:00:00Z"],
  ["Nov 18, 2026 22:00 to 19.11.2026 3:00", "2026-11-18T22:00:00Z", "2026-11-19T03:00:00Z"],
  ["24 dec", "2025-12-24T00:00:00Z", "2025-12-25T00:00:00Z"],
  ["monday", "2026-11-16T00:00:00Z", "2026-11-17T00:00:00Z"],
  ["friday", "2026-11-20T00:00:00Z", "now"],
  ["since monday", "2026-11-16T00:00:00Z", "now"],
  ["2026-11-20 15:00 to tomorrow", "2026-11-20T15:00:00Z", undefined],
  ["1795190400 to now", "2026-11-20T16:00:00Z", "now"],
])("%s", (text, from, to) => {
  const got = read(text);
  if (to === undefined) expect(got).toHaveProperty("error");
  else expect(got).toEqual({ from, to });
});

test("times of day are those of the zone, unless the text says UTC", () => {
  expect(read("today 9:00", "Europe/Berlin")).toEqual({ from: "2026-11-20T08:00:00Z", to: "now" });
  expect(read("today 9:00 UTC", "Europe/Berlin")).toEqual({ from: "2026-11-20T09:00:00Z", to: "now" });
  expect(read("yesterday", "Asia/Tokyo")).toEqual({ from: "2026-11-19T15:00:00Z", to: "2026-11-20T15:00:00Z" });
});

test("what is not understood is pointed at", () => {
  expect(read("")).toMatchObject({ offset: 0, length: 0 });
  expect(read(" fortnight")).toMatchObject({ offset: 1, length: 9 });
  expect(read("9:00 to soon")).toMatchObject({ offset: 8, length: 4, error: "“soon” is not a point in time" });
  expect(read("10:00 to 9:00")).toMatchObject({ error: "The range ends before it begins", offset: 9 });
  expect(read("2026-02-30")).toMatchObject({ offset: 0, length: 10 });
  expect(read("2027-01-01")).toMatchObject({ error: "“2027-01-01” lies in the future" });
  expect(read("9:00 to ")).toMatchObject({ error: expect.stringContaining("not a point") });
  expect(read("25:00")).toHaveProperty("error");
});
