// Groups by time as cells of one hue: the stronger, the more. The scale is that of the square
// root, so that small groups are seen beside large ones; its legend says what a tone means.

import { measureText } from "../format/units";
import { bucketText } from "./plot";
import type { Group } from "./answer";
import { mix } from "./palette";
import { type Paint, sheet, short, textAt } from "./svg";
import { timeTexts, timeTicks } from "./plot";

export const STEPS = 8;

export interface Scale {
  max: number;
  /** Lower bounds of the tones above zero. */
  bounds: number[];
  /** 0 for nothing, then 1 … STEPS. */
  step: (value: number) => number;
}

export function scaleOf(groups: Group[]): Scale {
  const max = groups.reduce((most, group) => Math.max(most, group.statistics.max ?? 0), 0);
  const step = (value: number) =>
    value <= 0 || max <= 0 ? 0 : Math.min(STEPS, Math.max(1, Math.ceil(Math.sqrt(value / max) * STEPS)));
  const bounds = Array.from({ length: STEPS }, (_, i) => (i / STEPS) ** 2 * max);
  return { max, bounds, step };
}

/** Colours of the steps, 0 first: from the ground to the accent, one hue. */
export function tones(colour: (token: string) => string): string[] {
  const [ground, accent, ink] = [colour("--surface-2"), colour("--accent"), colour("--ink")];
  return Array.from({ length: STEPS + 1 }, (_, i) => {
    if (i === 0) return ground;
    const share = i / STEPS;
    // The upper end goes on towards the ink, so that the largest stand out in both themes.
    return share <= 0.75 ? mix(ground, accent, 0.12 + (share / 0.75) * 0.88) : mix(accent, ink, (share - 0.75) * 1.4);
  });
}

export interface Cell {
  row: number;
  column: number;
}

/** The cell at a point of the plot. */
export function cellAt(x: number, y: number, size: { width: number; rowHeight: number; rows: number; columns: number }): Cell | undefined {
  const cell = { row: Math.floor(y / size.rowHeight), column: Math.floor((x / size.width) * size.columns) };
  const inside = cell.row >= 0 && cell.row < size.rows && cell.column >= 0 && cell.column < size.columns;
  return inside ? cell : undefined;
}

export function cellWords(group: Group, index: number, ms: number, how: { bucketMs: number; measure: string; zone: string }): string {
  const value = group.values[index] ?? null;
  const figure = value === null ? "no records from anyone" : measureText(how.measure, value);
  return `${group.label}: ${figure}, ${bucketText(ms, how.bucketMs, how.zone)}`;
}

const LABELS = 220;
const ROW = 20;

export function heatSvg(paint: Paint & { times: number[]; bucketMs: number; groups: Group[]; measure: string; zone: string; width?: number }): string {
  const { times, bucketMs, groups, measure, zone, colour } = paint;
  const width = paint.width ?? 1200;
  const [left, top, room] = [LABELS + 16, 62, width - LABELS - 40];
  const scale = scaleOf(groups);
  const shades = tones(colour);
  const wide = room / Math.max(1, times.length);
  const parts: string[] = [];
  groups.forEach((group, row) => {
    const label = group.label.length > 32 ? `${group.label.slice(0, 31)}…` : group.label;
    parts.push(textAt(left - 8, top + row * ROW + 14, label, colour("--ink"), 'text-anchor="end"'));
    group.values.forEach((value, i) => {
      if (value === null) return;
      parts.push(`<rect x="${short(left + i * wide)}" y="${top + row * ROW}" width="${short(wide + 0.3)}" height="${ROW - 2}" fill="${shades[scale.step(value)]}"/>`);
    });
  });
  const bottom = top + groups.length * ROW;
  const [from, to] = [times[0] ?? 0, (times.at(-1) ?? 0) + bucketMs];
  const ticks = timeTicks(from, to, zone, 9);
  timeTexts(ticks.at, ticks.step, zone).forEach((text, i) => {
    parts.push(textAt(left + ((ticks.at[i]! - from) / (to - from || 1)) * room, bottom + 16, text, colour("--ink-2"), 'text-anchor="middle"'));
  });
  shades.forEach((shade, i) => parts.push(`<rect x="${left + i * 24}" y="${bottom + 32}" width="24" height="12" fill="${shade}"/>`));
  parts.push(textAt(left, bottom + 60, "0", colour("--ink-2")));
  parts.push(textAt(left + shades.length * 24, bottom + 60, measureText(measure, scale.max), colour("--ink-2"), 'text-anchor="end"'));
  return sheet(width, bottom + 76, paint, parts);
}
