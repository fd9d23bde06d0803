import { expect, test } from "vitest";
import type { Answer, Value } from "../api/types";
import { graphOf, place } from "./sankey";

const column = (name: string, values: Value[]) => ({ name, type: "", unit: "", values });

function answer(rows: [Value, Value, Value, number][], other = 0): Answer {
  return {
    columns: ["a", "b", "c", "octets"].map((name, i) => column(name, rows.map((row) => row[i]!))),
    other: other > 0 ? [column("octets", [other])] : [],
    total: [], stats: {} as Answer["stats"],
  };
}

const reading = { groupBy: ["a", "b", "c"], measure: "octets", text: (_: string, value: Value) => String(value), nodesMax: 2 };
const rows: [Value, Value, Value, number][] = [
  ["x", 1, null, 50], ["x", 2, "u", 30], ["y", 1, "v", 20], ["z", 3, "u", 10], [null, 1, "u", 5],
];

test("every layer holds the whole, whatever was cut", () => {
  const graph = graphOf(answer(rows, 7), reading);
  const layer = (n: number) => graph.nodes.filter((node) => node.layer === n).reduce((sum, node) => sum + node.amount, 0);
  expect([0, 1, 2].map(layer)).toEqual([122, 122, 122]);
  expect(graph.total).toBe(122);
});

test("what leaves a node is what came in", () => {
  const graph = graphOf(answer(rows, 7), reading);
  for (const node of graph.nodes.filter((one) => one.layer === 1)) {
    const sum = (end: "source" | "target") => graph.links.filter((link) => link[end] === node.id).reduce((all, link) => all + link.amount, 0);
    expect([sum("target"), sum("source")]).toEqual([node.amount, node.amount]);
  }
});

test("small nodes and the answer's rest are one node, nulls have a name", () => {
  const graph = graphOf(answer(rows, 7), reading);
  expect(graph.nodes.filter((node) => node.layer === 0).map((node) => [node.label, node.amount])).toEqual([
    ["x", 80], ["y", 20], ["other", 22],
  ]);
  expect(graph.nodes.filter((node) => node.layer === 2).map((node) => node.label)).toEqual(["unknown", "u", "other"]);
});

test("a name that is called other is not the rest", () => {
  const graph = graphOf(answer([["other", 1, "…", 5], ["x", 1, "u", 3]], 2), reading);
  const first = graph.nodes.filter((node) => node.layer === 0);
  expect(first.map((node) => [node.label, node.value, node.amount])).toEqual([["other", "other", 5], ["x", "x", 3], ["other", undefined, 2]]);
});

test("the same value on both sides makes no circle", () => {
  const graph = graphOf(answer([["x", "x", "x", 5]]), reading);
  const layout = place(graph, 600, 300);
  expect(layout.nodes.map((node) => Math.round(node.x0))).toEqual([1, 295, 589]);
  expect(layout.nodes.map((node) => node.value)).toEqual(["x", "x", "x"]);
  expect(layout.links).toHaveLength(2);
});

test("nothing gives nothing", () => {
  expect(place(graphOf(answer([]), reading), 600, 300)).toEqual({ nodes: [], links: [] });
});
