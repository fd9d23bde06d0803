import { expect, test } from "vitest";
import type { Chart, Group } from "../charts/answer";
import { csvOf } from "../charts/twin";
import { figuresOf, figureText, nextOrder, rowsTwin, sorted } from "./rows";

const group = (name: string | null, whole: number, more: Partial<Group> = {}): Group => ({
  key: JSON.stringify([name]), label: name ?? "unknown", token: "--x", group: [name], values: [],
  statistics: { whole, min: 1, avg: whole / 2, max: whole * 2, last: 1, p95: null }, ...more,
});
const total = { ...group("total", 100), group: undefined, label: "total" };
const chart: Chart = {
  times: [], bucketMs: 1000, groups: [group("web10", 60), group("web9", 30), group(null, 4)],
  other: { ...group("other", 6), group: undefined }, total,
};

test("shares are of the total", () => {
  const share = figuresOf(chart, "bps")[0]!;
  expect(chart.groups.map((one) => figureText(share, share.of(one), "bps"))).toEqual(["60 %", "30 %", "4.0 %"]);
});

test("a rate has its mean, a count its sum", () => {
  expect(figuresOf(chart, "bps").map((figure) => figure.key)).toEqual(["share", "avg", "min", "max", "last", "p95"]);
  const figures = figuresOf(chart, "octets");
  expect(figures.map((figure) => figure.key)).toContain("sum");
  expect(figures.find((figure) => figure.key === "avg")!.of(chart.groups[0]!)).toBe(30);
});

test("a table is sorted by figures or names, the unknown last", () => {
  const figures = figuresOf(chart, "bps");
  const names = (order: string) => sorted(chart.groups, ["src_pod"], figures, order).map((one) => one.label);
  expect(names("avg")).toEqual(["unknown", "web9", "web10"]);
  expect(names("-avg")).toEqual(["web10", "web9", "unknown"]);
  expect(names("src_pod")).toEqual(["web9", "web10", "unknown"]);
  expect(names("-src_pod")).toEqual(["web10", "web9", "unknown"]);
  expect(names("gone")).toEqual(["web10", "web9", "unknown"]);
});

test("a heading is chosen three times: one way, the other, back", () => {
  expect(["", "-avg", "avg"].map((order) => nextOrder(order, "avg", true))).toEqual(["-avg", "avg", ""]);
  expect(nextOrder("", "src_pod", false)).toBe("src_pod");
});

test("change is against the earlier period, and none without one", () => {
  const now = { ...chart, total: { ...total, previousWhole: 50 } };
  const change = figuresOf(now, "bps").find((figure) => figure.key === "change")!;
  expect(figureText(change, change.of(group("a", 30, { previousWhole: 60 })), "bps")).toBe("−50 %");
  expect(figureText(change, -0.0004, "bps")).toBe("±0 %");
  expect(change.of(group("a", 30, { previousWhole: 0 }))).toBeNull();
});

test("the table's CSV ends with other and the total", () => {
  const twin = rowsTwin(chart, chart.groups, ["src_pod"], figuresOf(chart, "bps").slice(0, 2), (_, value) => String(value));
  expect(csvOf(twin).split("\r\n")).toEqual(["src_pod,share,avg", "web10,0.6,60", "web9,0.3,30", ",0.04,4", "other,0.06,6", "total,1,100", ""]);
});
