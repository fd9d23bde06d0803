import { expect, test } from "vitest";
import { drops, isLoss, isSink, reason } from "./reasons";
import { balance, forecast, forecastLevel, lasting, lossText, numberedUnit, samplingText, skewText } from "./words";

test("times last in two units at most", () => {
  expect([0, 59e3, 60e3, 3600e3, 5400e3, 49 * 3600e3, 50 * 86400e3 + 3600e3].map(lasting)).toEqual([
    "0 s", "59 s", "1 min", "1 h", "1 h 30 min", "2 days 1 h", "50 days",
  ]);
});

const disk = (days: number | null, more = {}) => ({ days_until_full: days, octets_per_day: 1e9, shedding: null, advice: null, ...more });

test("the forecast is a sentence", () => {
  expect(forecast(disk(12.7))).toBe("Full in 12 days at this rate");
  expect(forecast(disk(0.3))).toBe("Full in 7 h at this rate");
  expect(forecast(disk(1.9))).toBe("Full in 1 day at this rate");
  expect(forecast(disk(20_000))).toBe("Not full for 54 years at this rate");
  expect(forecast(disk(null))).toBe("Retention keeps it from filling at this rate");
  expect(forecast(disk(null, { octets_per_day: 0 }))).toContain("Nothing to go by");
  expect(forecast(disk(3, { shedding: "disk_full" }))).toBe("The store takes no rows now");
});

test("a week is a warning, a day is bad", () => {
  expect([null, 30, 6.9, 0.9].map((days) => forecastLevel(disk(days)))).toEqual(["good", "good", "warn", "bad"]);
  expect(forecastLevel(disk(30, { shedding: "disk_full" }))).toBe("bad");
});

test("books balance or say by how much they do not", () => {
  const account = { received: 10, kept: 6, in_flight: 1, dropped: { queue_full: 2, truncated: 1 } };
  expect(balance(account)).toEqual({ dropped: 3, difference: 0 });
  expect(balance({ ...account, received: 12 })).toEqual({ dropped: 3, difference: 2 });
});

test("clocks are told from the network", () => {
  expect([0, -417, 6_200, -300_000].map(skewText)).toEqual(["in step", "in step", "6.2 s ahead", "5 min behind"]);
});

test("loss is never rounded to none", () => {
  expect(lossText(0, 0)).toBe("0");
  expect(lossText(1, 1e-7)).toBe("<0.01 %");
  expect(lossText(5, 0.0123)).toBe("1.23 %");
  expect(lossText(5, 0.5)).toBe("50.0 %");
});

test("each protocol numbers its own thing", () => {
  expect(["netflow5", "ipfix", "netflow9", "sflow5"].map(numberedUnit)).toEqual(["records", "records", "messages", "messages"]);
});

test("sampling rates in few words", () => {
  expect(samplingText([])).toBe("–");
  expect(samplingText([{ sampler: 1, rate: 512 }, { sampler: 2, rate: 1 }, { sampler: 3, rate: 512 }])).toBe("all, 1 in 512");
});

test("every reason of the ledger is explained, the most frequent first", () => {
  const names = [
    "not_allowed", "queue_full", "truncated", "unknown_protocol", "malformed_message", "malformed_set",
    "malformed_template", "template_quota", "no_template", "park_quota", "reserved", "exporter_quota",
    "record_quota", "duplicate", "sink_disk_full", "sink_io", "sink_closed", "sink_refused", "sink_panicked",
  ];
  for (const name of names) expect(reason(name).what).not.toContain("does not know");
  expect(reason("later").what).toContain("does not know");
  expect(drops({ a: 1, b: 5, c: 0 })).toEqual([{ name: "b", count: 5 }, { name: "a", count: 1 }]);
  expect(isSink("sink_io")).toBe(true);
  expect([isLoss("duplicate"), isLoss("queue_full")]).toEqual([false, true]);
});
