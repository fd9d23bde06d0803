import { expect, test } from "vitest";
import { bucketFor, duration, durationText, moment, refreshSeconds, resolve, shift, zoomOut } from "./time";

const NOW = Date.parse("2026-11-20T12:00:00Z");

test("durations read and write the same words", () => {
  expect(duration("1h30m")).toBe(5400e3);
  expect(duration("90s")).toBe(90e3);
  expect(duration("1h 30m")).toBeUndefined();
  expect(durationText(5400e3)).toBe("1h30m");
  expect(durationText(0)).toBe("0s");
});

test("moments are now, back from now, or absolute", () => {
  expect(moment("now", NOW)).toBe(NOW);
  expect(moment("-15m", NOW)).toBe(NOW - 900e3);
  expect(moment("2026-11-20T11:00:00Z", NOW)).toBe(NOW - 3600e3);
  expect(moment("yesterdayish", NOW)).toBeUndefined();
});

test("shifting forward ends at now and is live again", () => {
  const back = shift({ from: "-1h", to: "now" }, -1, NOW);
  expect(back).toEqual({ from: "2026-11-20T10:30:00Z", to: "2026-11-20T11:30:00Z" });
  expect(shift(back, 1, NOW)).toEqual({ from: "-1h", to: "now" });
  expect(shift(back, 1, NOW + 90e3), "a minute later too").toEqual({ from: "-1h", to: "now" });
  expect(shift(back, 1, NOW + 600e3).to).toBe("2026-11-20T12:00:00Z");
});

test("zooming out doubles the range", () => {
  expect(zoomOut({ from: "-1h", to: "now" }, NOW)).toEqual({ from: "-2h", to: "now" });
  const span = resolve(zoomOut({ from: "2026-11-20T10:00:00Z", to: "2026-11-20T11:00:00Z" }, NOW), NOW);
  expect(span.to - span.from).toBe(7200e3);
});

test("buckets are usual widths that keep the number of points", () => {
  expect(bucketFor({ from: NOW - 3600e3, to: NOW })).toBe(30);
  expect(bucketFor({ from: NOW - 60e3, to: NOW })).toBe(1);
  expect(bucketFor({ from: NOW - 86400e3 * 30, to: NOW })).toBe(21600);
});

test("no link makes the page ask without a pause", () => {
  for (const [text, seconds] of [["", 10], ["30", 30], ["0", 0], ["-5", 0], ["x", 0], ["0.001", 1], ["1e9", 86_400], ["Infinity", 86_400]] as const) {
    expect(refreshSeconds(text)).toBe(seconds);
  }
});
