import { expect, test } from "vitest";
import type { Exporter } from "../api/types";
import { found, ordered, ratesTold, rows, withRates } from "./exporters";

const NOW = Date.parse("2026-11-20T17:10:00Z");
const exporter = (addr: string, more: Partial<Exporter> = {}) =>
  ({
    addr, protocol: "ipfix", domain: 0, last_seen: "2026-11-20T17:09:58Z", records: 900, messages: 90, records_per_second: 1,
    templates: 2, clock_skew_ms: 0, dropped: {}, sequence: { missing: 0 }, ...more,
  }) as Exporter;
const ALL = rows(
  [
    exporter("10.0.0.10", { sequence: { missing: 100 } as Exporter["sequence"] }),
    exporter("10.0.0.9", { last_seen: "2026-11-20T17:00:00Z", clock_skew_ms: -6_000, name: "Core-1" }),
    exporter("10.0.0.9", { domain: 7, protocol: "netflow9", dropped: { no_template: 3, reserved: 1 } }),
  ],
  NOW,
);
const keys = (list: typeof ALL) => list.map((row) => row.key);

test("what needs a look is marked", () => {
  expect(ALL.map((row) => [row.isLossy, row.isSilent, row.isSkewed, row.dropped])).toEqual([
    [true, false, false, 0], [false, true, true, 0], [false, false, false, 4],
  ]);
  expect(ALL[0]!.loss.share).toBeCloseTo(0.1);
});

test("addresses are ordered as numbers, equal figures by address", () => {
  expect(keys(ordered(ALL, "addr", false))).toEqual(["10.0.0.9|0|ipfix", "10.0.0.9|7|netflow9", "10.0.0.10|0|ipfix"]);
  expect(keys(ordered(ALL, "rate", true))).toEqual(["10.0.0.9|0|ipfix", "10.0.0.9|7|netflow9", "10.0.0.10|0|ipfix"]);
  expect(keys(ordered(ALL, "loss", true))[0]).toBe("10.0.0.10|0|ipfix");
});

test("every word is looked for in name, address, protocol and domain", () => {
  expect(keys(found(ALL, "core 0.9"))).toEqual(["10.0.0.9|0|ipfix"]);
  expect(keys(found(ALL, "domain 7"))).toEqual(["10.0.0.9|7|netflow9"]);
  expect(found(ALL, "nothing")).toEqual([]);
});

test("rates that only records tell are those of their exporter and domain", () => {
  const column = (name: string, values: (string | number)[]) => ({ name, type: "u32", unit: "", values });
  const told = ratesTold([column("exporter_addr", ["a", "a", "b"]), column("observation_domain", [0, 0, 7]), column("sampling_rate", [16, 512, 4])]);
  const rates = (addr: string, more: Partial<Exporter> = {}) =>
    withRates(exporter(addr, { sampling: [], ...more }), told).sampling.map(({ rate }) => rate);
  expect(rates("a")).toEqual([16, 512]);
  expect(rates("b")).toEqual([]);
  expect(rates("b", { domain: 7 })).toEqual([4]);
  expect(rates("a", { sampling: [{ sampler: 1, rate: 9 }] })).toEqual([9]);
});
