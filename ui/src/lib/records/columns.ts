// Which columns a table of records shows, in which order and how wide.

import type { ColumnDef, Dimension } from "../api/types";

/** What is shown wherever it fits the data: always, or where some record has a value. */
const ALWAYS = ["received_at", "exporter_addr", "src_addr", "src_port", "dst_addr", "dst_port", "proto", "octets", "packets"];

const ORDER = [
  "received_at", "exporter_addr",
  "src_namespace", "src_pod", "src_process", "src_addr", "src_port",
  "dst_namespace", "dst_pod", "dst_service", "dst_process", "dst_addr", "dst_port",
  "proto", "tcp_flags", "octets", "reverse_octets", "packets", "reverse_packets", "in_if_name", "in_if", "out_if_name", "out_if", "vlan",
  "src_as", "dst_as", "sampling_rate", "app", "drop_reason",
];

/** A column enters the usual set when so many of the records have a value in it. */
const SHARE_MIN = 0.02;

/** At most so many columns are chosen unasked. */
const USUAL_MAX = 16;

/** The columns to show when nothing was chosen; without knowledge of the data the common ones. */
export function usual(defs: ColumnDef[], dimensions: Dimension[] | undefined): string[] {
  const known = new Set(defs.map((def) => def.name));
  const exists = (name: string) => known.has(name);
  if (dimensions === undefined || dimensions.length === 0) {
    return ORDER.filter((name) => ALWAYS.includes(name) || name === "in_if" || name === "out_if").filter(exists);
  }
  const rows = new Map(dimensions.map((dimension) => [dimension.name, dimension]));
  const most = Math.max(...dimensions.map((dimension) => dimension.rows), 1);
  const isUsed = (name: string) => {
    const dimension = rows.get(name);
    return dimension !== undefined && dimension.rows / most >= SHARE_MIN && tellsApart(name, dimension);
  };
  // A name says more than a number; both are too much.
  const isDoubled = (name: string) => (name === "in_if" || name === "out_if") && isUsed(`${name}_name`);
  const chosen = ORDER.filter((name) => exists(name) && (ALWAYS.includes(name) || (isUsed(name) && !isDoubled(name))));
  return chosen.slice(0, USUAL_MAX);
}

/**
 * Columns that are the same in every record are left out, but for those that matter anyway. How
 * many values differ is known of the newest block alone, which may be of one exporter.
 */
function tellsApart(name: string, dimension: Dimension): boolean {
  return dimension.distinct > 1 || /namespace|pod|process|_if|tcp_flags|sampling_rate/.test(name);
}

/** The chosen columns of an address; unknown names and doubles are dropped. */
export function chosen(text: string, defs: ColumnDef[]): string[] {
  const known = new Set(defs.filter(isShown).map((def) => def.name));
  return [...new Set(text.split(","))].filter((name) => known.has(name));
}

/** Whether records of the past can have a value here; some columns exist in the live tail only. */
export function isShown(def: ColumnDef): boolean {
  return def.stored;
}

export function isNumber(def: ColumnDef | undefined): boolean {
  return def !== undefined && /^[uf]\d+$/.test(def.type) && !def.names && !/(addr|port|_if|_as|vlan|_id)$/.test(def.name);
}

const WIDTHS: Record<string, number> = {
  received_at: 128, export_time: 128, flow_start: 128, flow_end: 128, event_time: 128,
  proto: 80, tcp_flags: 128, octets: 96, reverse_octets: 120, packets: 80, reverse_packets: 124, exporter_addr: 124,
};

export const WIDTH_MIN = 56;
export const WIDTH_MAX = 640;

/** Width in pixels for a column that nobody has drawn wider or narrower. */
export function usualWidth(def: ColumnDef): number {
  const told = WIDTHS[def.name];
  if (told !== undefined) return told;
  // The name of the column must fit: some 7 pixels a letter, and room for the sign of the order.
  const name = def.name.length * 7.2 + 36;
  const value = def.type === "addr" ? 148 : def.type === "time" ? 128 : def.type === "string" || def.type === "mac" ? 144 : 76;
  return Math.round(Math.min(Math.max(name, value), 240));
}

export function clampWidth(width: number): number {
  return Math.round(Math.min(Math.max(width, WIDTH_MIN), WIDTH_MAX));
}

/** Widths as they were kept; whatever is not a width of a known column is dropped. */
export function readWidths(text: string | null, defs: ColumnDef[]): Record<string, number> {
  let told: unknown;
  try {
    told = JSON.parse(text ?? "{}");
  } catch {
    return {};
  }
  if (typeof told !== "object" || told === null) return {};
  const known = new Set(defs.map((def) => def.name));
  const good = Object.entries(told).filter(([name, width]) => known.has(name) && Number.isFinite(width));
  return Object.fromEntries(good.map(([name, width]) => [name, clampWidth(Number(width))]));
}

/** The list with one name moved to the place of another position. */
export function movedTo(names: string[], from: number, to: number): string[] {
  if (from < 0 || from >= names.length || from === to) return names;
  const next = [...names];
  const [name] = next.splice(from, 1);
  next.splice(Math.min(Math.max(to, 0), next.length), 0, name!);
  return next;
}

export interface Group {
  name: string;
  columns: ColumnDef[];
}

/** Columns whose name or description has every word, in their groups. */
export function grouped(defs: ColumnDef[], search: string, isOffered: (name: string) => boolean): Group[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, ColumnDef[]>();
  for (const def of defs) {
    if (!isShown(def) || !isOffered(def.name)) continue;
    const text = `${def.name} ${def.doc} ${def.group} ${def.unit}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    groups.set(def.group, [...(groups.get(def.group) ?? []), def]);
  }
  return [...groups].map(([name, columns]) => ({ name, columns }));
}
