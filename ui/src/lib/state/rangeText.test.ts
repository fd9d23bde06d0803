import { expect, test } from "vitest";
import { rangeText, spanText } from "./rangeText";
import { resolve } from "./time";
import { readRange } from "./words";

const NOW = Date.parse("2026-11-20T16:04:05Z");
const text = (from: string, to: string, zone = "utc") => rangeText({ from, to }, NOW, zone);

test("live ranges", () => {
  expect(text("-1h", "now")).toBe("Last hour");
  expect(text("-3h", "now")).toBe("Last 3 hours");
  expect(text("-90m", "now")).toBe("Last 90 minutes");
  expect(text("-1h30m", "now")).toBe("Last 1 h 30 min");
  expect(text("2026-11-20T09:00:00Z", "now")).toBe("Since 20 Nov 09:00 UTC");
  expect(spanText("1w")).toBe("1 week");
});

test("fixed ranges say no more than they must", () => {
  expect(text("2026-11-20T10:00:00Z", "2026-11-20T11:30:00Z")).toBe("20 Nov 10:00 – 11:30 UTC");
  expect(text("2026-11-19T22:00:00Z", "2026-11-20T03:00:05Z")).toBe("19 Nov 22:00 – 20 Nov 03:00:05 UTC");
  expect(text("2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z")).toBe("19 Nov UTC");
  expect(text("2026-11-16T00:00:00Z", "2026-11-20T00:00:00Z")).toBe("16 Nov – 19 Nov UTC");
  expect(text("2025-12-24T10:00:00Z", "2025-12-24T11:00:00Z")).toBe("24 Dec 2025 10:00 – 11:00 UTC");
  expect(text("2026-11-20T10:00:00Z", "2026-11-20T11:30:00Z", "Europe/Berlin")).toBe("20 Nov 11:00 – 12:30 Berlin");
  expect(text("-3h", "-1h")).toBe("20 Nov 13:04:05 – 15:04:05 UTC");
});

test.each([
  ["-1h", "now"], ["-1h30m", "now"], ["-90m", "now"], ["-30d", "now"], ["2026-11-20T09:00:00Z", "now"],
  ["2026-11-20T10:00:00Z", "2026-11-20T11:30:05Z"], ["2026-11-18T22:00:00Z", "2026-11-20T03:00:00Z"],
  ["2026-11-17T23:00:00Z", "2026-11-18T23:00:00Z"], ["2025-12-24T10:00:00Z", "2025-12-25T11:00:00Z"],
])("what is said of %s – %s is read back", (from, to) => {
  const said = rangeText({ from, to }, NOW, "Europe/Berlin", false);
  const back = readRange(said, NOW, "Europe/Berlin");
  if ("error" in back) throw new Error(`${said}: ${back.error}`);
  expect(resolve(back, NOW)).toEqual(resolve({ from, to }, NOW));
});
