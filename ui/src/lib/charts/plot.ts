// From series to what is drawn: stacking, mirroring, the range of the y axis, and which series a
// point belongs to. Shared by the canvas (TimeChart) and by the SVG that is saved.

import { measureText } from "../format/units";
import { date, time } from "../format/moment";
import type { Series } from "./answer";

export type Mode = "area" | "lines" | "percent" | "bars";

export interface Layer {
  series: Series;
  kind: "area" | "line" | "bar";
  /** Where the upper edge is drawn: stacked values, below zero for the reverse direction. */
  edge: (number | null)[];
  /** Where it begins: the upper edge of the one below, or zero. */
  base: (number | null)[];
}

export interface Plot {
  /** In the order of painting: a stack's top comes first, each lower one covers it. */
  layers: Layer[];
  low: number;
  high: number;
}

/** `hidden` holds the keys that are switched off. */
export function plotOf(series: Series[], mode: Mode, hidden?: ReadonlySet<string>): Plot {
  const shown = series.filter((one) => !hidden?.has(one.key));
  const drawn = mode === "percent" ? shown.filter((one) => !one.ghost) : shown;
  const layers: Layer[] = [];
  for (const reverse of [false, true]) {
    const side = drawn.filter((one) => !one.ghost && !!one.reverse === reverse);
    const whole = mode === "percent" ? sums(side) : undefined;
    const sign = reverse ? -1 : 1;
    const stack: number[] = [];
    const made = side.map((one): Layer => {
      const base = one.values.map((_, i) => stack[i] ?? 0);
      const edge = one.values.map((value, i) => {
        if (value === null || (whole && whole[i] === 0)) return null;
        const part = sign * (whole ? (value / whole[i]!) * 100 : value);
        if (mode === "lines") return part;
        return (stack[i] = base[i]! + part);
      });
      return { series: one, kind: mode === "lines" ? "line" : mode === "bars" ? "bar" : "area", edge, base };
    });
    layers.push(...(mode === "lines" ? made : made.reverse()));
  }
  for (const one of drawn) {
    if (one.ghost) layers.push({ series: one, kind: "line", edge: one.reverse ? one.values.map(minus) : one.values, base: [] });
  }
  return { layers, ...bounds(layers, mode) };
}

const minus = (value: number | null) => (value === null ? null : -value);

function sums(series: Series[]): number[] {
  const length = series[0]?.values.length ?? 0;
  return Array.from({ length }, (_, i) => series.reduce((sum, one) => sum + (one.values[i] ?? 0), 0));
}

function bounds(layers: Layer[], mode: Mode): { low: number; high: number } {
  let [low, high] = [0, 0];
  for (const { edge } of layers) {
    for (const value of edge) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (mode === "percent") return { low: low < 0 ? -100 : 0, high: high > 0 || low === 0 ? 100 : 0 };
  if (low === 0 && high === 0) return { low: 0, high: 1 };
  return { low: low * 1.06, high: high * 1.06 };
}

/** Runs without a gap, as first and last index. */
export function runs(values: (number | null)[]): [number, number][] {
  const found: [number, number][] = [];
  values.forEach((value, i) => {
    if (value === null) return;
    const open = found.at(-1);
    if (open && open[1] === i - 1) open[1] = i;
    else found.push([i, i]);
  });
  return found;
}

/** The layer that a point at this height belongs to: the band it lies in, else the nearest line. */
export function layerAt(plot: Plot, index: number, y: number): Layer | undefined {
  let best: Layer | undefined;
  let distance = Infinity;
  for (const layer of plot.layers) {
    const edge = layer.edge[index];
    if (edge === null || edge === undefined) continue;
    if (layer.kind === "line") {
      if (layer.series.ghost) continue;
      if (Math.abs(edge - y) < distance) [best, distance] = [layer, Math.abs(edge - y)];
    } else if ((y >= 0 && edge >= y) || (y < 0 && edge <= y)) {
      // Bands are painted from the outside in: the last that still reaches the point holds it.
      if (Math.sign(edge) === (y < 0 ? -1 : 1)) best = layer;
    }
  }
  return best;
}

/** A figure of an axis: as short as it stays true, without its sign (below zero is a direction). */
export function tickText(measure: string, value: number, mode: Mode): string {
  if (mode === "percent") return `${Math.abs(value)} %`;
  return measureText(measure, Math.abs(value)).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

/** Round steps between zero-based bounds, at most `count` of them. */
export function ticks(low: number, high: number, count = 5): number[] {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0) || !Number.isFinite(rough)) return [0];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((digit) => digit * power).find((one) => one >= rough * 0.999)!;
  const found: number[] = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(at * step);
  return found;
}

const SECOND = 1e3;
const DAY = 86400e3;

/** Texts of points on a time axis; the date stands where it changes. */
export function timeTexts(at: number[], step: number, zone: string): string[] {
  let before = "";
  return at.map((ms) => {
    const day = date(ms, zone);
    const turned = day !== before && before !== "";
    before = day;
    const clock = time(ms, zone);
    if (step >= DAY) return day.slice(5);
    if (turned || (clock === "00:00:00" && at.length > 1)) return day.slice(5);
    return step < 60 * SECOND ? clock : clock.slice(0, 5);
  });
}

/** Distances between marks of a time axis that people read easily, in seconds. */
export const STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000,
];

/** Whole moments of the chosen zone between two times, for the saved SVG. */
export function timeTicks(from: number, to: number, zone: string, count = 8): { at: number[]; step: number } {
  const rough = (to - from) / 1e3 / count;
  const step = (STEPS_S.find((seconds) => seconds >= rough) ?? Math.ceil(rough / 2592000) * 2592000) * 1e3;
  const shift = step > 900e3 ? offsetOf(from, zone) : 0;
  const at: number[] = [];
  for (let ms = Math.ceil((from + shift) / step) * step - shift; ms <= to; ms += step) at.push(ms);
  return { at, step };
}

/** How far the zone's clock is ahead of UTC at a moment. */
export function offsetOf(ms: number, zone: string): number {
  return Date.parse(`${date(ms, zone)}T${time(ms, zone)}Z`) - Math.floor(ms / 1e3) * 1e3;
}

/** `12:00:00 – 12:00:30`, with the date where it helps. */
export function bucketText(ms: number, bucketMs: number, zone: string): string {
  if (bucketMs >= DAY) return date(ms, zone);
  return `${date(ms, zone)}  ${time(ms, zone)} – ${time(ms + bucketMs, zone)}`;
}
