// Small lines of rate beside names. A bucket without records is a gap, never zero.

import type { Answer } from "../api/types";

export interface Spark {
  values: (number | null)[];
  max: number;
}

/** One line for each group of a bucketed answer; `buckets` of `seconds` from `from` (ms). */
export function sparks(answer: Answer, measure: string, from: number, seconds: number, buckets: number): Map<string, Spark> {
  const [time, ...rest] = answer.columns;
  const groups = rest.filter((column) => column.name !== measure && column.unit === "" && column.type !== "f64");
  const figures = rest.find((column) => column.name === measure);
  const lines = new Map<string, Spark>();
  if (!time || !figures) return lines;
  const start = Math.floor(from / 1e3 / seconds);
  time.values.forEach((moment, row) => {
    const at = Math.floor(Date.parse(String(moment)) / 1e3 / seconds) - start;
    const value = figures.values[row];
    if (at < 0 || at >= buckets || value === null || value === undefined) return;
    const key = groups.map((column) => String(column.values[row])).join("|");
    let line = lines.get(key);
    if (!line) {
      line = { values: Array<number | null>(buckets).fill(null), max: 0 };
      lines.set(key, line);
    }
    line.values[at] = Number(value);
    line.max = Math.max(line.max, Number(value));
  });
  return lines;
}

/** The strokes of a line in a box: each run of values is one; a lone value is a short dash. */
export function strokes(spark: Spark, width: number, height: number): string {
  const step = width / Math.max(spark.values.length - 1, 1);
  const y = (value: number) => (height - 1 - (value / (spark.max || 1)) * (height - 2)).toFixed(1);
  let path = "";
  let isRunning = false;
  spark.values.forEach((value, i) => {
    if (value === null) {
      isRunning = false;
      return;
    }
    const x = i * step;
    if (isRunning) path += `L${x.toFixed(1)} ${y(value)}`;
    else if (spark.values[i + 1] === null || i + 1 === spark.values.length) path += `M${Math.max(x - 1.5, 0).toFixed(1)} ${y(value)}h3`;
    else path += `M${x.toFixed(1)} ${y(value)}`;
    isRunning = true;
  });
  return path;
}
