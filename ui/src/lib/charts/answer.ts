// An answer's columns as series over time: one array of buckets for all, gaps as null.
//
// A bucket in which nothing at all was received is a gap. A bucket in which others had records is
// zero for a group without. Rates of a bucket that the range cuts are told by the server per whole
// bucket; here they are put per second of the part inside, so that a live chart does not sink at
// its end. Sums stay as they were told.

import type { Answer, Column, Value } from "../api/types";
import type { Span } from "../state/time";
import { OTHER_TOKEN, seriesToken } from "./palette";

export const OTHER = "other";
export const TOTAL = "total";
/** What stands for a null in labels: nobody told. */
export const UNKNOWN = "unknown";

/** A cut bucket shorter than this draws no rate: exporters send in bursts, some once a minute. */
const CUT_MIN_MS = 120e3;
const POINTS_MAX = 5000;

export interface Series {
  key: string;
  label: string;
  token: string;
  values: (number | null)[];
  /** Drawn below zero: what a group received. Values stay positive. */
  reverse?: boolean;
  /** Drawn as a dashed line and never stacked: an earlier period. */
  ghost?: boolean;
}

export interface Statistics {
  /** Of the whole range: the sum of a count, the mean of a rate. */
  whole: number;
  min: number | null;
  avg: number | null;
  max: number | null;
  last: number | null;
  p95: number | null;
}

export interface Group extends Series {
  /** The values of the group columns; undefined for `other` and `total`. */
  group?: Value[];
  statistics: Statistics;
  previous?: (number | null)[];
  previousWhole?: number | null;
  backward?: (number | null)[];
  backwardWhole?: number;
}

export interface Chart {
  times: number[];
  bucketMs: number;
  groups: Group[];
  other?: Group;
  total: Group;
}

export interface Reading {
  groupBy: string[];
  measure: string;
  span: Span;
  bucketMs: number;
  /** The range moves with now: the counts of its first and last buckets are not whole yet or no more. */
  sliding?: boolean;
  /** A value as people read it; null is not asked for. */
  text: (column: string, value: Value) => string;
}

export function isRate(measure: string): boolean {
  return /(^|_)(bps|pps|fps)$/.test(measure);
}

export function number(value: Value | undefined): number | null {
  if (value === null || value === undefined || typeof value === "boolean" || Array.isArray(value)) return null;
  const read = Number(value);
  return Number.isFinite(read) ? read : null;
}

export function labelOf(groupBy: string[], group: Value[], text: Reading["text"]): string {
  return group.map((value, i) => (value === null ? UNKNOWN : text(groupBy[i]!, value))).join(" · ");
}

/** Starts of all buckets that touch the range. */
export function grid(span: Span, bucketMs: number): number[] {
  const times: number[] = [];
  let at = Math.floor(span.from / bucketMs) * bucketMs;
  for (; at < span.to && times.length < POINTS_MAX; at += bucketMs) times.push(at);
  return times;
}

interface Rows {
  /** Position in the grid of every row; -1 when outside. */
  at: Int32Array;
  find: (name: string) => Column | undefined;
}

/** Reads an answer to a question with a bucket. */
export function chartOf(answer: Answer, reading: Reading): Chart {
  const { groupBy, measure, bucketMs } = reading;
  const times = grid(reading.span, bucketMs);
  const start = times[0] ?? 0;
  // Each group tells the same buckets again: their texts are read once.
  const places = new Map<Value, number>();
  const placeOf = (told: Value): number => {
    let index = places.get(told);
    if (index === undefined) {
      index = Math.round((Date.parse(String(told)) - start) / bucketMs);
      if (!(index >= 0 && index < times.length)) index = -1;
      places.set(told, index);
    }
    return index;
  };
  const rowsOf = (columns: Column[]): Rows => {
    const find = (name: string) => columns.find((column) => column.name === name);
    const told = find("time")?.values ?? [];
    const at = Int32Array.from(told, placeOf);
    return { at, find };
  };

  const shares = insideOf(answer, times, bucketMs);
  const seconds = Math.max(1e-3, (Date.parse(answer.stats.to) - Date.parse(answer.stats.from)) / 1e3);
  const total = rowsOf(answer.total);
  const lived = livedIn(total, times.length, measure);
  const fill = (rows: Rows, picked: number[], prefix: string) =>
    filled(rows, picked, { name: prefix + measure, seen: lived[prefix === "previous." ? "previous" : "now"], shares, rate: isRate(measure), sliding: reading.sliding ?? false, bucketMs, seconds });

  const make = (base: Omit<Group, "values" | "statistics">, rows: Rows, picked: number[]): Group => {
    const { values, whole } = fill(rows, picked, "");
    const group: Group = { ...base, values, statistics: { whole, ...spread(values) } };
    if (rows.find(`previous.${measure}`)) {
      const before = fill(rows, picked, "previous.");
      group.previous = before.values;
      // Why: a period of which nothing is known is a gap as a whole.
      group.previousWhole = lived.previous.includes(true) ? before.whole : null;
    }
    if (rows.find(`reverse.${measure}`)) {
      const back = fill(rows, picked, "reverse.");
      group.backward = back.values;
      group.backwardWhole = back.whole;
    }
    return group;
  };

  const rows = rowsOf(answer.columns);
  const groups = [...membersOf(answer.columns, groupBy)].map(([key, { group, picked }], index) =>
    make({ key, label: labelOf(groupBy, group, reading.text), token: seriesToken(index), group }, rows, picked),
  );
  const all = (found: Rows) => Array.from(found.at, (_, i) => i);
  const rest = rowsOf(answer.other);
  const chart: Chart = {
    times, bucketMs,
    groups: groupBy.length > 0 ? groups : [],
    total: make({ key: TOTAL, label: "total", token: seriesToken(0) }, total, all(total)),
  };
  if (groupBy.length > 0 && answer.other.length > 0 && rest.at.length > 0) {
    chart.other = make({ key: OTHER, label: "other", token: OTHER_TOKEN }, rest, all(rest));
  }
  return chart;
}

/** Rows of each group, in the order of the answer (which is that of rank). */
function membersOf(columns: Column[], groupBy: string[]): Map<string, { group: Value[]; picked: number[] }> {
  const groupColumns = groupBy.map((name) => columns.find((column) => column.name === name));
  const found = new Map<string, { group: Value[]; picked: number[] }>();
  const rows = columns[0]?.values.length ?? 0;
  let last: { group: Value[]; picked: number[] } | undefined;
  for (let row = 0; row < rows; row += 1) {
    const group = groupColumns.map((column) => column?.values[row] ?? null);
    // Rows of a group follow each other; the key is made where a new one begins.
    if (last && group.every((value, i) => value === last!.group[i])) {
      last.picked.push(row);
      continue;
    }
    const key = JSON.stringify(group);
    const member = found.get(key);
    if (member) member.picked.push(row);
    else found.set(key, { group, picked: [row] });
    last = found.get(key);
  }
  return found;
}

/** Which buckets had any record, now and in the earlier period. */
function livedIn(total: Rows, length: number, measure: string): { now: boolean[]; previous: boolean[] } {
  const seen = (prefix: string): boolean[] => {
    const flows = total.find(`${prefix}flows`);
    const sums = total.find(prefix + measure);
    const figures = flows ?? sums;
    // Why: with a comparison the buckets of both periods have rows; only a count of records tells
    // which of them was alive.
    const compared = total.find(`previous.${measure}`) !== undefined;
    const lived = new Array<boolean>(length).fill(false);
    total.at.forEach((index, row) => {
      const value = number(figures?.values[row]);
      // What was sent in answer stands in no record of its own.
      const sent = number(sums?.values[row]) ?? 0;
      if (index >= 0 && value !== null) lived[index] ||= (flows === undefined && !compared) || value > 0 || sent > 0;
    });
    return lived;
  };
  return { now: seen(""), previous: seen("previous.") };
}

/** The part of each bucket that lies inside what was read. */
function insideOf(answer: Answer, times: number[], bucketMs: number): number[] {
  const [from, to] = [Date.parse(answer.stats.from), Date.parse(answer.stats.to)];
  return times.map((at) => {
    const inside = (Math.min(at + bucketMs, to) - Math.max(at, from)) / bucketMs;
    return inside > 0 && inside < 1 ? inside : 1;
  });
}

interface Filling {
  sliding: boolean;
  name: string;
  seen: boolean[];
  shares: number[];
  rate: boolean;
  bucketMs: number;
  seconds: number;
}

function filled(rows: Rows, picked: number[], how: Filling): { values: (number | null)[]; whole: number } {
  const told = rows.find(how.name)?.values;
  const values: (number | null)[] = how.seen.map((lived) => (lived ? 0 : null));
  let sum = 0;
  for (const row of picked) {
    const index = rows.at[row] ?? -1;
    const value = number(told?.[row]);
    if (index < 0 || value === null) continue;
    sum += value;
    if (how.seen[index]) values[index] = value;
  }
  if (!how.rate) {
    // Why: half a bucket would be drawn, and told as the lowest and the last, as if traffic had fallen.
    if (how.sliding && how.shares.includes(1)) how.shares.forEach((share, index) => { if (share < 1) values[index] = null; });
    return { values, whole: sum };
  }
  how.shares.forEach((share, index) => {
    const value = values[index] ?? null;
    if (share === 1 || value === null) return;
    values[index] = share * how.bucketMs < CUT_MIN_MS ? null : value / share;
  });
  return { values, whole: (sum * how.bucketMs) / 1e3 / how.seconds };
}

/** Lowest, mean, highest, last and 95th percentile of the buckets that are no gaps. */
export function spread(values: (number | null)[]): Omit<Statistics, "whole"> {
  const known = values.filter((value): value is number => value !== null);
  if (known.length === 0) return { min: null, avg: null, max: null, last: null, p95: null };
  const sorted = [...known].sort((a, b) => a - b);
  return {
    min: sorted[0]!,
    avg: known.reduce((sum, value) => sum + value, 0) / known.length,
    max: sorted.at(-1)!,
    last: known.at(-1)!,
    p95: sorted[Math.max(0, Math.ceil(sorted.length * 0.95) - 1)]!,
  };
}

/** What a chart draws: groups, then `other`, with the other direction and the earlier period. */
export function seriesOf(chart: Chart, ghosts: "each" | "total" = "total"): Series[] {
  const shown = chart.groups.length > 0 ? [...chart.groups, ...(chart.other ? [chart.other] : [])] : [chart.total];
  const plain = ({ key, label, token, values }: Group): Series => ({ key, label, token, values });
  const series = shown.map(plain);
  for (const group of shown) {
    if (group.backward) series.push({ ...plain(group), values: group.backward, reverse: true });
  }
  const before = ghosts === "each" ? shown : [{ ...chart.total, token: "--ink-2" }];
  for (const group of before) {
    if (group.previous) {
      const label = group.key === TOTAL ? "all, earlier" : `${group.label}, earlier`;
      series.push({ ...plain(group), label, values: group.previous, ghost: true });
    }
  }
  return series;
}
