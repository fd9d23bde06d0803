// Values of records as the table and the detail write them.

import type { ColumnDef, FlowRecord, Value } from "../api/types";
import { date, dateTime, millis, time } from "../format/moment";
import { exact } from "../format/units";
import { isNumber } from "./columns";

export interface Writer {
  /** The schema's text of a value, with the names of enumerations. */
  named: (column: string, value: Value) => string;
  zone: string;
  /** The day that need not be said, `2026-11-20`. */
  day?: string;
}

/** The short text of a table's cell; empty where there is no value. */
export function cellText(def: ColumnDef | undefined, value: Value | undefined, writer: Writer): string {
  if (value === null || value === undefined) return "";
  if (def?.type === "time" && typeof value === "string") return momentText(value, writer);
  if (isNumber(def) && (typeof value === "number" || typeof value === "string")) return exact(value);
  if (isPlain(value)) return Object.entries(value).map(([name, text]) => `${name}=${text}`).join(" ");
  return writer.named(def?.name ?? "", value);
}

function momentText(text: string, writer: Writer): string {
  const ms = millis(text);
  if (Number.isNaN(ms)) return text;
  return date(ms, writer.zone) === writer.day ? time(ms, writer.zone, 3) : dateTime(ms, writer.zone, 3);
}

/** The whole text of a value: every digit, and the number behind a name. */
export function wholeText(def: ColumnDef | undefined, value: Value, writer: Writer): string {
  if (value === null) return "";
  if (def?.type === "time" && typeof value === "string") {
    const ms = millis(value);
    // The part below a millisecond, as the record has it.
    const rest = /\.\d{3}(\d+)/.exec(value)?.[1] ?? "";
    return Number.isNaN(ms) ? value : `${dateTime(ms, writer.zone, 3)}${rest}`;
  }
  const text = cellText(def, value, writer);
  return def?.names && text !== String(value) ? `${text} (${String(value)})` : text;
}

/** Values that have parts of their own, such as elements without a column. */
export function isPlain(value: unknown): value is Record<string, Value> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export interface Told {
  def: ColumnDef;
  value: Value;
}

/** What a record tells, in the order of the schema, by group. */
export function told(record: FlowRecord, defs: ColumnDef[]): { group: string; values: Told[] }[] {
  const groups = new Map<string, Told[]>();
  for (const def of defs) {
    const value = record[def.name];
    if (value === null || value === undefined) continue;
    if (isPlain(value) && Object.keys(value).length === 0) continue;
    const group = groups.get(def.group);
    if (group) group.push({ def, value });
    else groups.set(def.group, [{ def, value }]);
  }
  return [...groups].map(([group, values]) => ({ group, values }));
}

/** `IE 8, 27`, with the enterprise's number where it is not the standard's. */
export function elementText(def: ColumnDef): string {
  if (def.elements.length === 0) return "";
  return `IE ${def.elements.map((element) => (element.pen === 0 ? `${element.id}` : `${element.pen}/${element.id}`)).join(", ")}`;
}

/** One row of an answer in columns, without what it does not tell. */
export function recordAt(columns: { name: string; values: Value[] }[], row: number): FlowRecord {
  const record: Record<string, Value> = {};
  for (const column of columns) {
    const value = column.values[row];
    if (value !== null && value !== undefined) record[column.name] = value;
  }
  return record as FlowRecord;
}
