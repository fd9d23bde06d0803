// Stacks on the canvas: each band is filled from its lower to its upper edge, so that fifty of
// them cost as much as their area, not fifty times the height of the pile.

import type uPlot from "uplot";
import { type Layer, type Plot, runs } from "./plot";

export interface Brush {
  stroke: (layer: Layer) => string;
  fill: (layer: Layer) => string;
}

/** More bands than this are told apart by their areas alone: edges would cover the thin ones. */
const EDGES_MAX = 24;

interface Frame {
  x: (index: number) => number;
  y: (value: number) => number;
  /** Pixels of a bucket. */
  wide: number;
  pixel: number;
}

function frameOf(u: uPlot, plot: Plot, buckets: number): Frame {
  const { left, top, width, height } = u.bbox;
  const wide = width / Math.max(1, buckets);
  const scale = height / (plot.high - plot.low || 1);
  return {
    x: (index) => left + (index + 0.5) * wide,
    y: (value) => top + height - (value - plot.low) * scale,
    wide,
    pixel: window.devicePixelRatio || 1,
  };
}

/** Paints all bands and bars of a plot; lines are uPlot's. */
export function paintStacks(u: uPlot, plot: Plot, buckets: number, brush: Brush): void {
  const { ctx, bbox } = u;
  const frame = frameOf(u, plot, buckets);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.setLineDash([]);
  ctx.lineWidth = frame.pixel;
  const edged = plot.layers.length <= EDGES_MAX;
  for (const layer of plot.layers) {
    if (layer.kind === "line" || isFlat(layer)) continue;
    ctx.fillStyle = brush.fill(layer);
    ctx.strokeStyle = brush.stroke(layer);
    if (layer.kind === "bar") paintBars(ctx, layer, frame);
    else for (const [first, last] of runs(layer.edge)) paintBand(ctx, layer, { first, last, edged }, frame);
  }
  ctx.restore();
}

function isFlat({ edge, base }: Layer): boolean {
  return edge.every((value, i) => value === null || value === base[i]);
}

function paintBand(ctx: CanvasRenderingContext2D, layer: Layer, run: { first: number; last: number; edged: boolean }, frame: Frame): void {
  const { first, last, edged } = run;
  // A lone bucket has no neighbour to draw a line to: it stands as a bar.
  if (first === last) return paintBar(ctx, layer, first, frame);
  const top = new Path2D();
  const band = new Path2D();
  for (let i = first; i <= last; i += 1) {
    const [x, y] = [frame.x(i), frame.y(layer.edge[i]!)];
    top.lineTo(x, y);
    band.lineTo(x, y);
  }
  for (let i = last; i >= first; i -= 1) band.lineTo(frame.x(i), frame.y(layer.base[i]!));
  ctx.fill(band);
  if (edged) ctx.stroke(top);
}

function paintBars(ctx: CanvasRenderingContext2D, layer: Layer, frame: Frame): void {
  layer.edge.forEach((value, i) => {
    if (value !== null) paintBar(ctx, layer, i, frame);
  });
}

/** Edges are whole pixels, so that bars of a stack meet without a seam. */
function paintBar(ctx: CanvasRenderingContext2D, { edge, base }: Layer, i: number, { x, y, wide, pixel }: Frame): void {
  const width = Math.max(pixel, Math.floor(Math.min(wide * 0.86, 48 * pixel)));
  const [from, to] = [Math.round(y(base[i]!)), Math.round(y(edge[i]!))];
  if (from !== to) ctx.fillRect(Math.round(x(i) - width / 2), Math.min(from, to), width, Math.abs(to - from));
}
