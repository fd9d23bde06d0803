// Groups as layers of nodes with flows between them. All that is cut off stands in "other", so
// that every layer holds the whole.

import { sankey, sankeyJustify } from "d3-sankey";
import type { Answer, Value } from "../api/types";
import { number, OTHER, UNKNOWN } from "./answer";
import { OTHER_TOKEN, seriesToken } from "./palette";

export interface Node {
  id: string;
  layer: number;
  /** The group column of the layer. */
  column: string;
  label: string;
  /** Undefined for the node of all the rest. */
  value?: Value;
  amount: number;
  token: string;
}

export interface Link {
  source: string;
  target: string;
  /** The node of the first layer that this traffic came through: it gives the colour. */
  origin: string;
  amount: number;
}

export interface Graph {
  columns: string[];
  nodes: Node[];
  links: Link[];
  total: number;
}

export interface GraphReading {
  groupBy: string[];
  measure: string;
  text: (column: string, value: Value) => string;
  /** Nodes that each layer shows by name; the rest is one node. */
  nodesMax: number;
}

const OTHER_ID = "…";

/** Reads an answer without buckets. */
export function graphOf(answer: Answer, { groupBy, measure, text, nodesMax }: GraphReading): Graph {
  const find = (name: string) => answer.columns.find((column) => column.name === name)?.values ?? [];
  const amounts = find(measure);
  const rows = amounts.map((value, row) => ({
    path: groupBy.map((name) => find(name)[row] ?? null),
    amount: Math.max(0, number(value) ?? 0),
  }));
  const rest = number(answer.other.find((column) => column.name === measure)?.values[0]) ?? 0;

  const kept = groupBy.map((_, layer) => largest(rows, layer, nodesMax));
  const nodes = new Map<string, Node>();
  const links = new Map<string, Link>();
  const walk = (ids: { id: string; value?: Value }[], amount: number): void => {
    if (amount <= 0) return;
    const path = ids.map(({ id, value }, layer) => nodeOf(nodes, { id, value, layer, column: groupBy[layer]!, text }, amount));
    path.slice(1).forEach((target, i) => {
      const link = { source: path[i]!.id, target: target.id, origin: path[0]!.id, amount: 0 };
      const key = `${link.origin}\n${link.source}\n${link.target}`;
      const known = links.get(key) ?? link;
      known.amount += amount;
      links.set(key, known);
    });
  };
  for (const { path, amount } of rows) {
    walk(path.map((value, layer) => {
      const id = JSON.stringify(value);
      return kept[layer]!.has(id) ? { id, value } : { id: OTHER_ID };
    }), amount);
  }
  walk(groupBy.map(() => ({ id: OTHER_ID })), rest);
  return finish(groupBy, [...nodes.values()], [...links.values()]);
}

function largest(rows: { path: Value[]; amount: number }[], layer: number, count: number): Set<string> {
  const sums = new Map<string, number>();
  for (const { path, amount } of rows) {
    const id = JSON.stringify(path[layer]);
    sums.set(id, (sums.get(id) ?? 0) + amount);
  }
  return new Set([...sums].sort((a, b) => b[1] - a[1]).slice(0, count).map(([id]) => id));
}

function nodeOf(
  nodes: Map<string, Node>,
  of: { id: string; value?: Value; layer: number; column: string; text: GraphReading["text"] },
  amount: number,
): Node {
  const id = `${of.layer} ${of.id}`;
  let node = nodes.get(id);
  if (!node) {
    const label = of.id === OTHER_ID ? OTHER : of.value === null ? UNKNOWN : of.text(of.column, of.value!);
    node = { id, layer: of.layer, column: of.column, label, amount: 0, token: OTHER_TOKEN };
    if (of.id !== OTHER_ID) node.value = of.value ?? null;
    nodes.set(id, node);
  }
  node.amount += amount;
  return node;
}

/** Largest first, the rest last; the first layer gets the colours. */
function finish(columns: string[], nodes: Node[], links: Link[]): Graph {
  const last = (node: Node) => (node.value === undefined ? 1 : 0);
  nodes.sort((a, b) => a.layer - b.layer || last(a) - last(b) || b.amount - a.amount);
  let index = 0;
  for (const node of nodes) {
    if (node.layer === 0 && node.value !== undefined) node.token = seriesToken(index++);
  }
  const rank = new Map(nodes.map((node, i) => [node.id, i]));
  const order = (link: Link) => [link.source, link.target, link.origin].map((id) => rank.get(id)!);
  links.sort((a, b) => {
    const [left, right] = [order(a), order(b)];
    return left[0]! - right[0]! || left[1]! - right[1]! || left[2]! - right[2]!;
  });
  const total = nodes.filter((node) => node.layer === 0).reduce((sum, node) => sum + node.amount, 0);
  return { columns, nodes, links, total };
}

export interface PlacedNode extends Node {
  x0: number;
  x1: number;
  y0: number;
  y1: number;
}

export interface PlacedLink extends Link {
  path: string;
  width: number;
}

export interface Layout {
  nodes: PlacedNode[];
  links: PlacedLink[];
}

/** Room for the headings of the layers. */
export const HEAD = 26;

/** Pixels beside the outer layers for names of this many letters; none where it is narrow. */
export function gutterOf(graph: Graph, width: number): number {
  if (width < 640) return 0;
  const outer = graph.nodes.filter((node) => node.layer === 0 || node.layer === graph.columns.length - 1);
  const letters = outer.reduce((most, node) => Math.max(most, node.label.length), 6);
  // Some 7 pixels a letter and 80 for the figure behind it.
  return Math.round(Math.min(width * 0.24, letters * 7 + 96));
}

/** Places nodes and links. The order is that of the graph, so that a refresh moves nothing about. */
export function place(graph: Graph, width: number, height: number, gutter = 0): Layout {
  if (graph.links.length === 0) return { nodes: [], links: [] };
  const layers = graph.columns.length;
  const rank = new Map(graph.nodes.map((node, i) => [node.id, i]));
  // Why: the layout writes `value` and more into its nodes; ours stay as they are.
  const layout = sankey<{ id: string; layer: number }, { origin: string; amount: number }>()
    .nodeId((node) => node.id)
    .nodeAlign((node, n) => ("layer" in node ? Math.min(Number(node.layer), layers - 1) : sankeyJustify(node, n)))
    .nodeWidth(10)
    .nodePadding(16)
    .nodeSort((a, b) => rank.get(a.id)! - rank.get(b.id)!)
    .extent([[gutter + 1, HEAD], [width - gutter - 1, height - 4]]);
  const placed = layout({
    nodes: graph.nodes.map(({ id, layer }) => ({ id, layer })),
    links: graph.links.map((link) => ({ ...link, value: link.amount })),
  });
  const nodes = placed.nodes.map((node): PlacedNode => {
    const { x0 = 0, x1 = 0, y0 = 0, y1 = 0 } = node;
    return { ...graph.nodes[rank.get(node.id)!]!, x0, x1, y0, y1 };
  });
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const end = (node: unknown) => byId.get((node as { id: string }).id)!;
  return {
    nodes,
    links: placed.links.map((link) => {
      const [source, target] = [end(link.source), end(link.target)];
      const middle = (source.x1 + target.x0) / 2;
      const [y0, y1] = [link.y0 ?? 0, link.y1 ?? 0];
      return {
        source: source.id, target: target.id, origin: link.origin, amount: link.amount,
        path: `M${source.x1} ${y0}C${middle} ${y0} ${middle} ${y1} ${target.x0} ${y1}`,
        width: Math.max(0.75, link.width ?? 0),
      };
    }),
  };
}
