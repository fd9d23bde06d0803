import { expect, test } from "vitest";
import type { Group } from "./answer";
import { cellAt, cellWords, heatSvg, scaleOf, STEPS, tones } from "./heatmap";

const group = (label: string, values: (number | null)[]): Group => ({
  key: label, label, token: "--x", values,
  statistics: { whole: 0, min: null, avg: null, max: Math.max(...values.map((value) => value ?? 0)), last: null, p95: null },
});

test("nothing has a tone of its own, the largest the strongest", () => {
  const scale = scaleOf([group("a", [0, 1, 64]), group("b", [16, null, 4])]);
  expect([0, 1, 4, 16, 64].map(scale.step)).toEqual([0, 1, 2, 4, STEPS]);
  expect(scale.bounds[4]).toBe(16);
});

test("all silent groups stay at the ground", () => {
  expect(scaleOf([group("a", [0, null])]).step(0)).toBe(0);
});

test("tones are as many as steps and nothing", () => {
  const shades = tones((token) => ({ "--surface-2": "#000000", "--accent": "#808080", "--ink": "#ffffff" })[token] ?? "");
  expect(shades).toHaveLength(STEPS + 1);
  expect([...shades].sort()).toEqual(shades);
});

test("points are cells, and outside is none", () => {
  const size = { width: 100, rowHeight: 20, rows: 2, columns: 10 };
  expect(cellAt(15, 25, size)).toEqual({ row: 1, column: 1 });
  expect(cellAt(100, 10, size)).toBeUndefined();
  expect(cellAt(5, 41, size)).toBeUndefined();
});

test("a gap is told as one", () => {
  const how = { bucketMs: 1000, measure: "bps", zone: "utc" };
  expect(cellWords(group("a", [null]), 0, 0, how)).toBe("a: no records from anyone, 1970-01-01  00:00:00 – 00:00:01");
});

test("gaps have no cell in the saved picture", () => {
  const svg = heatSvg({ title: "t", colour: () => "#123456", times: [0, 1000], bucketMs: 1000, groups: [group("<a>", [1, null])], measure: "bps", zone: "utc" });
  expect(svg.match(/height="18"/g)).toHaveLength(1);
  expect(svg).toContain("&lt;a&gt;");
});
