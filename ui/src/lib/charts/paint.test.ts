import { expect, test } from "vitest";
import { paintStacks } from "./paint";
import { plotOf } from "./plot";

const series = (key: string, values: (number | null)[], more = {}) => ({ key, label: key, token: "--x", values, ...more });

/** A canvas that writes down what is filled. */
function canvas() {
  const filled: string[] = [];
  const ctx = {
    save() {}, restore() {}, beginPath() {}, rect() {}, clip() {}, setLineDash() {}, stroke() {},
    fill(path: { points: string[] }) { filled.push(path.points.join(" ")); },
    fillRect(...box: number[]) { filled.push(`rect ${box.join(",")}`); },
  };
  return { u: { ctx, bbox: { left: 0, top: 0, width: 40, height: 106 } } as never, filled };
}
class Path {
  points: string[] = [];
  lineTo(x: number, y: number) {
    this.points.push(`${x},${y}`);
  }
}
Object.assign(globalThis, { Path2D: Path, window: { devicePixelRatio: 1 } });
const brush = { stroke: () => "", fill: () => "" };

test("a band reaches from its lower to its upper edge, never down to zero", () => {
  const { u, filled } = canvas();
  paintStacks(u, plotOf([series("a", [50, 50]), series("b", [50, 50])], "area"), 2, brush);
  expect(filled).toEqual(["10,6 30,6 30,56 10,56", "10,56 30,56 30,106 10,106"]);
});

test("a gap parts a band, and a lone bucket is a bar", () => {
  const { u, filled } = canvas();
  paintStacks(u, plotOf([series("a", [100, 100, null, 100])], "area"), 4, brush);
  expect(filled).toEqual(["5,6 15,6 15,106 5,106", "rect 31,6,8,100"]);
});

test("bars of a stack meet without a seam", () => {
  const { u, filled } = canvas();
  paintStacks(u, plotOf([series("a", [33.4]), series("b", [66.6])], "bars"), 1, brush);
  expect(filled).toEqual(["rect 3,6,34,67", "rect 3,73,34,33"]);
});

test("what is zero throughout is not painted", () => {
  const { u, filled } = canvas();
  paintStacks(u, plotOf([series("a", [1, 1]), series("b", [0, 0])], "area"), 2, brush);
  expect(filled).toHaveLength(1);
});
