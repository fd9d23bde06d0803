import { expect, test } from "vitest";
import { layerAt, plotOf, tickText, ticks, timeTexts, timeTicks } from "./plot";

const series = (key: string, values: (number | null)[], more = {}) => ({ key, label: key, token: "--x", values, ...more });

test("stacks add up from the first series and are painted from the top", () => {
  const plot = plotOf([series("a", [1, null, 3]), series("b", [10, null, 0])], "area");
  expect(plot.layers.map((layer) => [layer.series.key, layer.edge])).toEqual([
    ["b", [11, null, 3]],
    ["a", [1, null, 3]],
  ]);
  expect(plot.high).toBeCloseTo(11.66);
});

test("the reverse direction stacks below zero, an earlier period not at all", () => {
  const plot = plotOf([series("a", [1]), series("a", [4], { reverse: true }), series("a", [9], { ghost: true })], "area");
  expect(plot.layers.map((layer) => layer.edge)).toEqual([[1], [-4], [9]]);
  expect(plot.low).toBeCloseTo(-4.24);
});

test("percents are of what is shown, each direction for itself", () => {
  const all = [series("a", [1]), series("b", [3]), series("a", [2], { reverse: true })];
  expect(plotOf(all, "percent").layers.map((layer) => layer.edge)).toEqual([[100], [25], [-100]]);
  expect(plotOf(all, "percent", new Set(["b"])).layers[0]?.edge).toEqual([100]);
});

test("a point belongs to the band it lies in, or to the nearest line", () => {
  const all = [series("a", [2]), series("b", [3]), series("a", [4], { reverse: true })];
  const stack = plotOf(all, "area");
  expect(layerAt(stack, 0, 1)?.series.key).toBe("a");
  expect(layerAt(stack, 0, 4)?.series.key).toBe("b");
  expect(layerAt(stack, 0, 6)).toBeUndefined();
  expect(layerAt(stack, 0, -1)?.series.reverse).toBe(true);
  expect(layerAt(plotOf(all, "lines"), 0, 2.9)?.series.key).toBe("b");
});

test("ticks are short and never below zero in words", () => {
  expect(tickText("bps", 1.5e9, "area")).toBe("1.5 Gbit/s");
  expect(tickText("bps", -200e6, "area")).toBe("200 Mbit/s");
  expect(tickText("bps", 20e6, "area")).toBe("20 Mbit/s");
  expect(tickText("bps", 0, "area")).toBe("0 bit/s");
  expect(tickText("flows", 1000, "area")).toBe("1 k");
  expect(tickText("bps", -50, "percent")).toBe("50 %");
});

test("steps are round", () => {
  expect(ticks(0, 1.06, 5)).toEqual([0, 0.25, 0.5, 0.75, 1]);
  expect(ticks(-100, 100, 4)).toEqual([-100, -50, 0, 50, 100]);
  expect(ticks(0, 0)).toEqual([0]);
});

test("a time axis names the day where it turns", () => {
  const at = ["2026-11-20T22:00:00Z", "2026-11-20T23:00:00Z", "2026-11-21T00:00:00Z"].map((text) => Date.parse(text));
  expect(timeTexts(at, 3600e3, "utc")).toEqual(["22:00", "23:00", "11-21"]);
  expect(timeTexts(at.slice(0, 1), 1e3, "utc")).toEqual(["22:00:00"]);
});

test("ticks of days fall on midnight of the zone", () => {
  const from = Date.parse("2026-11-20T12:00:00Z");
  const { at } = timeTicks(from, from + 8 * 86400e3, "Asia/Tokyo");
  expect(new Date(at[0]!).toISOString()).toBe("2026-11-20T15:00:00.000Z");
});
