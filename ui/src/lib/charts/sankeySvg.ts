// The sankey as SVG text, for saving.

import { measureText } from "../format/units";
import { type Graph, gutterOf, place } from "./sankey";
import { type Paint, sheet, short, textAt } from "./svg";

export function sankeySvg(paint: Paint & { graph: Graph; measure: string; width?: number; height?: number }): string {
  const { graph, measure, colour } = paint;
  const [width, height] = [paint.width ?? 1200, paint.height ?? Math.max(360, Math.min(1400, graph.nodes.length * 16))];
  const layout = place(graph, width - 48, height, gutterOf(graph, width - 48));
  const tokens = new Map(graph.nodes.map((node) => [node.id, node.token]));
  const last = graph.columns.length - 1;
  const parts = layout.links.map((link) => {
    const stroke = colour(tokens.get(link.origin) ?? "--series-other");
    return `<path d="${link.path}" fill="none" stroke="${stroke}" stroke-opacity="0.36" stroke-width="${short(link.width)}"/>`;
  });
  for (const node of layout.nodes) {
    const fill = colour(node.layer === 0 || node.value === undefined ? node.token : "--line-strong");
    const size = `width="${short(node.x1 - node.x0)}" height="${short(Math.max(1, node.y1 - node.y0))}"`;
    parts.push(`<rect x="${short(node.x0)}" y="${short(node.y0)}" ${size} fill="${fill}"/>`);
    const label = `${node.label.length > 40 ? `${node.label.slice(0, 39)}…` : node.label}  ${measureText(measure, node.amount)}`;
    const atStart = node.layer === 0 && last > 0;
    const x = atStart ? node.x0 - 8 : node.x1 + 8;
    parts.push(textAt(x, (node.y0 + node.y1) / 2 + 4, label, colour("--ink"), atStart ? 'text-anchor="end"' : ""));
  }
  graph.columns.forEach((column, layer) => {
    const node = layout.nodes.find((one) => one.layer === layer);
    if (node) parts.push(textAt((node.x0 + node.x1) / 2, 12, column, colour("--ink-2"), 'text-anchor="middle"'));
  });
  return sheet(width, height + 80, paint, [`<g transform="translate(24 64)">`, ...parts, "</g>"]);
}
