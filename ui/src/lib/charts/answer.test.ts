import { expect, test } from "vitest";
import type { Answer, Column } from "../api/types";
import { chartOf, grid, seriesOf, spread } from "./answer";

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 20, 12, 0, seconds)).toISOString();
const ms = (seconds: number) => Date.parse(at(seconds));
const column = (name: string, values: Column["values"]): Column => ({ name, type: "f64", unit: "", values });

function answer(columns: Column[], other: Column[], total: Column[], from = 0, to = 40): Answer {
  const stats = {
    tier: "raw", from: at(from), to: at(to), segments: 1, blocks: 1, blocks_pruned: 0, rows: 1,
    rows_matched: 1, rows_rate_unknown: 0, blocks_damaged: 0, notes: [], ms: 1,
  };
  return { columns, other, total, stats };
}

const reading = (measure: string, from = 0, to = 40) => ({
  groupBy: ["proto"], measure, span: { from: ms(from), to: ms(to) }, bucketMs: 10_000,
  text: (_: string, value: unknown) => `p${value}`,
});

const two = answer(
  [column("time", [at(0), at(30), at(0)]), column("proto", [6, 6, null]), column("octets", [10, 30, 5])],
  [column("time", [at(20)]), column("octets", [7])],
  [column("time", [at(0), at(20), at(30)]), column("octets", [15, 7, 30])],
);

test("a bucket without any row is a gap, one where others had rows is zero", () => {
  const chart = chartOf(two, reading("octets"));
  expect(chart.times).toEqual([ms(0), ms(10), ms(20), ms(30)]);
  expect(chart.groups.map((group) => [group.label, group.values])).toEqual([
    ["p6", [10, null, 0, 30]],
    ["unknown", [5, null, 0, 0]],
  ]);
  expect(chart.other?.values).toEqual([0, null, 7, 0]);
  expect(chart.total.values).toEqual([15, null, 7, 30]);
});

test("groups and other add up to the total", () => {
  const chart = chartOf(two, reading("octets"));
  const parts = [...chart.groups, chart.other!].map((group) => group.statistics.whole);
  expect(parts).toEqual([40, 5, 7]);
  expect(chart.total.statistics.whole).toBe(52);
});

test("a rate of a cut bucket is put per second of its part inside, a sum is not", () => {
  const cut = (measure: string) => {
    const columns = [column("time", [at(0), at(600)]), column("proto", [6, 6]), column(measure, [50, 100])];
    const found = { ...reading(measure, 300, 1200), bucketMs: 600_000 };
    return chartOf(answer(columns, [], [columns[0]!, columns[2]!], 300, 1200), found).groups[0]!;
  };
  expect(cut("bps").values).toEqual([100, 100]);
  // 50 over a whole bucket of 600 s and 100 over the next, in the 900 s that were asked about.
  expect(cut("bps").statistics.whole).toBeCloseTo(100);
  expect(cut("octets").values).toEqual([50, 100]);
});

test("counts of buckets that are not whole are no figures while the range moves with now", () => {
  const columns = [column("time", [at(0), at(10), at(20)]), column("proto", [6, 6, 6]), column("octets", [7, 100, 1])];
  const found = answer(columns, [], [columns[0]!, columns[2]!], 5, 22);
  const live = chartOf(found, { ...reading("octets", 5, 22), sliding: true }).groups[0]!;
  expect(live.values).toEqual([null, 100, null]);
  expect(live.statistics).toMatchObject({ whole: 108, min: 100, last: 100 });
  expect(chartOf(found, reading("octets", 5, 22)).groups[0]!.values).toEqual([7, 100, 1]);
  const short = chartOf(answer(columns, [], [columns[0]!, columns[2]!], 11, 19), { ...reading("octets", 11, 19), sliding: true });
  expect(short.groups[0]!.values).toEqual([100]);
});

test("a short piece of a bucket draws no rate but counts", () => {
  const columns = [column("time", [at(0), at(10)]), column("proto", [6, 6]), column("bps", [1, 100])];
  const chart = chartOf(answer(columns, [], [columns[0]!, columns[2]!], 9, 20), reading("bps", 9, 20));
  expect(chart.groups[0]?.values).toEqual([null, 100]);
  expect(chart.groups[0]?.statistics.whole).toBeCloseTo(1010 / 11);
});

test("an earlier period without records is a gap there only", () => {
  const columns = [
    column("time", [at(0), at(10)]), column("proto", [6, 6]), column("bps", [1, 2]), column("flows", [1, 1]),
    column("previous.bps", [0, 8]), column("previous.flows", [0, 4]),
  ];
  const total = columns.filter((c) => c.name !== "proto");
  const chart = chartOf(answer(columns, [], total, 0, 20), reading("bps", 0, 20));
  expect(chart.groups[0]?.values).toEqual([1, 2]);
  expect(chart.groups[0]?.previous).toEqual([null, 8]);
  expect(chart.groups[0]?.previousWhole).toBeCloseTo(4);
  for (const told of columns.slice(4)) told.values = [0, 0];
  expect(chartOf(answer(columns, [], total, 0, 20), reading("bps", 0, 20)).groups[0]?.previousWhole).toBeNull();
  const ghosts = seriesOf(chart, "each").filter((series) => series.ghost);
  expect(ghosts.map((series) => series.label)).toEqual(["p6, earlier"]);
});

test("without groups the total is the one series", () => {
  const total = [column("time", [at(0)]), column("octets", ["18446744073709551615"])];
  const chart = chartOf(answer(total, [], total, 0, 10), { ...reading("octets", 0, 10), groupBy: [] });
  expect(seriesOf(chart).map((series) => [series.key, series.values])).toEqual([["total", [18446744073709552000]]]);
});

test("buckets of the grid start at whole multiples", () => {
  expect(grid({ from: 25, to: 41 }, 10)).toEqual([20, 30, 40]);
});

test("statistics pass over gaps", () => {
  expect(spread([null, 1, 3, null, 2])).toEqual({ min: 1, avg: 2, max: 3, last: 2, p95: 3 });
  expect(spread([null])).toEqual({ min: null, avg: null, max: null, last: null, p95: null });
});
