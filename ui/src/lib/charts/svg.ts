// Charts as SVG text, for saving. Made from the data, not from the canvas; every text is escaped.

import { dateTime } from "../format/moment";
import type { Series } from "./answer";
import { mix } from "./palette";
import { type Layer, type Mode, plotOf, runs, tickText, ticks, timeTexts, timeTicks } from "./plot";

export interface Paint {
  title: string;
  subtitle?: string;
  /** The value of a design token. */
  colour: (token: string) => string;
}

export function xml(text: string): string {
  const named: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };
  // XML 1.0 has no place for the other control characters, not even escaped.
  return text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd").replace(/[&<>"']/g, (c) => named[c]!);
}

export const short = (value: number): string => String(Math.round(value * 100) / 100);

export function textAt(x: number, y: number, text: string, fill: string, more = ""): string {
  return `<text x="${short(x)}" y="${short(y)}" fill="${xml(fill)}" ${more}>${xml(text)}</text>`;
}

/** Background, title and font around a drawing. */
export function sheet(width: number, height: number, paint: Paint, inside: string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'Segoe UI', Roboto, Arial, sans-serif" font-size="12">`,
    `<title>${xml(paint.title)}</title>`,
    `<rect width="${width}" height="${height}" fill="${xml(paint.colour("--surface"))}"/>`,
    textAt(16, 26, paint.title, paint.colour("--ink"), 'font-size="15" font-weight="600"'),
    paint.subtitle ? textAt(16, 44, paint.subtitle, paint.colour("--ink-2")) : "",
    ...inside,
    "</svg>",
  ].join("\n");
}

export interface TimeDrawing extends Paint {
  times: number[];
  bucketMs: number;
  series: Series[];
  mode: Mode;
  measure: string;
  zone: string;
  hidden?: ReadonlySet<string>;
  width?: number;
  height?: number;
}

const LEGEND_ROW = 18;

export function timeSvg(drawing: TimeDrawing): string {
  const { times, bucketMs, mode, measure, zone, colour } = drawing;
  const [width, plotHeight] = [drawing.width ?? 1200, drawing.height ?? 420];
  const box = { left: 92, top: 62, width: width - 92 - 24, height: plotHeight };
  const plot = plotOf(drawing.series, mode, drawing.hidden);
  const from = times[0] ?? 0;
  const to = (times.at(-1) ?? from) + bucketMs;
  const x = (ms: number) => box.left + ((ms - from) / (to - from || 1)) * box.width;
  const y = (value: number) => box.top + box.height - ((value - plot.low) / (plot.high - plot.low || 1)) * box.height;

  const inside: string[] = [];
  for (const value of ticks(plot.low, plot.high, 6)) {
    const at = short(y(value));
    inside.push(`<path d="M${box.left} ${at}H${box.left + box.width}" stroke="${colour("--line")}"/>`);
    inside.push(textAt(box.left - 8, y(value) + 4, tickText(measure, value, mode), colour("--ink-2"), 'text-anchor="end"'));
  }
  const marks = timeTicks(from, to, zone, 9);
  timeTexts(marks.at, marks.step, zone).forEach((text, i) => {
    inside.push(textAt(x(marks.at[i]!), box.top + box.height + 20, text, colour("--ink-2"), 'text-anchor="middle"'));
  });
  const middle = (i: number) => x(times[i]! + bucketMs / 2);
  const wide = ((bucketMs * 0.86) / (to - from || 1)) * box.width;
  for (const layer of plot.layers) inside.push(layerSvg(layer, { middle, y, wide, colour }));
  if (plot.low < 0) inside.push(`<path d="M${box.left} ${short(y(0))}H${box.left + box.width}" stroke="${colour("--line-strong")}"/>`);
  inside.push(textAt(box.left + box.width, 44, `${dateTime(from, zone)} – ${dateTime(to, zone)}`, colour("--ink-2"), 'text-anchor="end"'));

  const legend = legendSvg(drawing, box.top + box.height + 46, width);
  return sheet(width, box.top + box.height + 46 + legend.rows * LEGEND_ROW, drawing, [...inside, ...legend.parts]);
}

interface Place {
  middle: (i: number) => number;
  y: (value: number) => number;
  wide: number;
  colour: (token: string) => string;
}

function layerSvg(layer: Layer, { middle, y, wide, colour }: Place): string {
  const stroke = colour(layer.series.token);
  const fill = mix(stroke, colour("--surface"), layer.kind === "bar" ? 0.12 : 0.3);
  if (layer.kind === "bar") {
    const bars = layer.edge.map((value, i) => {
      if (value === null || value === 0) return "";
      return `M${short(middle(i) - wide / 2)} ${short(y(0))}V${short(y(value))}h${short(wide)}V${short(y(0))}Z`;
    });
    return `<path d="${bars.join("")}" fill="${fill}" stroke="${stroke}" stroke-width="0.75"/>`;
  }
  const dash = layer.series.ghost ? ' stroke-dasharray="5 4"' : "";
  return runs(layer.edge).map(([first, last]) => {
    const line: string[] = [];
    for (let i = first; i <= last; i += 1) line.push(`${short(middle(i))} ${short(y(layer.edge[i]!))}`);
    if (first === last) {
      const [cx, cy] = line[0]!.split(" ");
      return `<circle cx="${cx}" cy="${cy}" r="2" fill="${stroke}"/>`;
    }
    const edge = `<path d="M${line.join("L")}" fill="none" stroke="${stroke}" stroke-width="1.25"${dash}/>`;
    if (layer.kind === "line") return edge;
    return `<path d="M${short(middle(first))} ${short(y(0))}L${line.join("L")}L${short(middle(last))} ${short(y(0))}Z" fill="${fill}"/>${edge}`;
  }).join("");
}

function legendSvg(drawing: TimeDrawing, top: number, width: number): { parts: string[]; rows: number } {
  const named = new Map<string, Series>();
  for (const one of drawing.series) {
    const key = one.ghost ? `${one.key} earlier` : one.key;
    if (!drawing.hidden?.has(one.key) && !named.has(key)) named.set(key, one);
  }
  const columns = Math.max(1, Math.floor((width - 32) / 290));
  const parts = [...named.values()].map((one, i) => {
    const [x, y] = [16 + (i % columns) * 290, top + Math.floor(i / columns) * LEGEND_ROW];
    const label = one.label.length > 42 ? `${one.label.slice(0, 41)}…` : one.label;
    const mark = `<rect x="${x}" y="${y - 9}" width="10" height="10" rx="2" fill="${drawing.colour(one.token)}"/>`;
    return mark + textAt(x + 16, y, label, drawing.colour("--ink"));
  });
  return { parts, rows: Math.ceil(named.size / columns) };
}

/** Drawings side by side on one sheet; each is whole in itself. */
export function gridSvg(paint: Paint, drawings: TimeDrawing[], columns = 3): string {
  const [width, height] = [400, 200];
  const cell = height + 62 + 46 + LEGEND_ROW;
  const parts = drawings.map((drawing, i) => {
    const [x, y] = [(i % columns) * width, 56 + Math.floor(i / columns) * cell];
    return timeSvg({ ...drawing, width, height }).replace("<svg ", `<svg x="${x}" y="${y}" `);
  });
  return sheet(columns * width, 56 + Math.ceil(drawings.length / columns) * cell, paint, parts);
}
