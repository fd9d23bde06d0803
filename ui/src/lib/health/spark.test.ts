import { expect, test } from "vitest";
import type { Answer, Value } from "../api/types";
import { sparks, strokes } from "./spark";

const column = (name: string, type: string, values: Value[]) => ({ name, type, unit: type === "f64" ? "flow/s" : "", values });
const ANSWER = {
  columns: [
    column("time", "time", ["2026-11-20T17:00:00Z", "2026-11-20T17:02:00Z", "2026-11-20T17:01:00Z", "2026-11-20T16:59:00Z"]),
    column("exporter_addr", "addr", ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2"]),
    column("observation_domain", "u32", [0, 0, 7, 7]),
    column("fps", "f64", [2, 4, 3, 9]),
  ],
} as Answer;

test("lines are told apart by their group, and what is missing is a gap", () => {
  const lines = sparks(ANSWER, "fps", Date.parse("2026-11-20T17:00:00Z"), 60, 3);
  expect([...lines]).toEqual([
    ["10.0.0.1|0", { values: [2, null, 4], max: 4 }],
    ["10.0.0.2|7", { values: [null, 3, null], max: 3 }],
  ]);
});

test("gaps break the stroke, lone values are seen", () => {
  expect(strokes({ values: [0, 2, null, 1], max: 2 }, 30, 10)).toBe("M0.0 9.0L10.0 1.0M28.5 5.0h3");
  expect(strokes({ values: [], max: 0 }, 30, 10)).toBe("");
});
