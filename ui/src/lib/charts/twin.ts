// A chart as a table: for people who do not see it, and for CSV.

import type { Series } from "./answer";

export interface TwinColumn {
  label: string;
  numeric?: boolean;
  /** How a cell reads on the page; CSV has the plain value. */
  text?: (value: Cell) => string;
}

export type Cell = string | number | null;

export interface Twin {
  columns: TwinColumn[];
  rows: Cell[][];
}

/** One row for each bucket, one column for each series; a gap stays empty. */
export function twinOf(
  times: number[],
  series: Series[],
  how: { moment: (ms: number) => string; figure: (value: number | null) => string; reverse?: string },
): Twin {
  const figure = (value: Cell) => how.figure(value as number | null);
  return {
    columns: [
      { label: "time", text: (value) => how.moment(Date.parse(String(value))) },
      ...series.map((one) => ({
        label: one.reverse ? `${one.label} (${how.reverse ?? "reverse"})` : one.label, numeric: true, text: figure,
      })),
    ],
    rows: times.map((at, i) => [new Date(at).toISOString(), ...series.map((one) => one.values[i] ?? null)]),
  };
}

/**
 * One CSV cell (RFC 4180). Text that a spreadsheet would take for a formula gets an apostrophe in
 * front: names come from the network. Numbers are ours and stay as they are.
 */
export function csvCell(value: Cell): string {
  if (value === null) return "";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  const safe = /^\s*[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

export function csvOf(twin: Twin): string {
  const lines = [twin.columns.map((column) => csvCell(column.label)), ...twin.rows.map((row) => row.map(csvCell))];
  return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
}
