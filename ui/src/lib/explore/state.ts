// Explore's part of the address: what is asked and how it is shown. Anything that cannot be read
// falls back to its default, so that a hand-written link always opens.

import type { Compare } from "../api/types";

export const MEASURES = ["bps", "pps", "fps", "octets", "packets", "flows"] as const;
export type Measure = (typeof MEASURES)[number];

export const VIEWS = ["area", "lines", "percent", "bars", "grid", "sankey", "heatmap", "table"] as const;
export type ViewName = (typeof VIEWS)[number];

export const TOPS = [5, 10, 15, 20, 30, 50, 100] as const;
export const GROUPS_MAX = 8;
const TOP_MAX = 200;

/** A column to group by; addresses may be cut to a prefix. */
export interface Group {
  column: string;
  v4?: number;
  v6?: number;
}

export interface ExploreState {
  by: string[];
  measure: Measure;
  unscaled: boolean;
  n: number;
  view: ViewName;
  both: boolean;
  compare?: Compare;
  /** Seconds, when chosen by hand. */
  bucketS?: number;
  /** How the table is sorted: a column, `-` in front for descending; "" is the order of rank. */
  order: string;
}

/** `src_addr/24/64`; undefined when it is no group. Which columns exist is the server's to say. */
export function parseGroup(text: string): Group | undefined {
  const found = /^([a-z_][a-z0-9_]*)(?:\/(\d{1,2})(?:\/(\d{1,3}))?)?$/.exec(text.trim());
  if (!found) return undefined;
  const [column, v4, v6] = [found[1]!, found[2], found[3]];
  if ((v4 !== undefined && Number(v4) > 32) || (v6 !== undefined && Number(v6) > 128)) return undefined;
  return { column, ...(v4 && { v4: Number(v4) }), ...(v6 && { v6: Number(v6) }) };
}

export function groupText({ column, v4, v6 }: Group): string {
  if (v4 === undefined && v6 === undefined) return column;
  return v6 === undefined ? `${column}/${v4}` : `${column}/${v4 ?? 32}/${v6}`;
}

/** `/24/64`, `24`, `/24`, nothing: the lengths that a person typed; undefined when they make no sense. */
export function parseLengths(text: string): Pick<Group, "v4" | "v6"> | undefined {
  const plain = text.trim().replace(/^\//, "");
  if (plain === "") return {};
  const group = parseGroup(`x/${plain}`);
  return group && { v4: group.v4, v6: group.v6 };
}

/** Groups of a comma list, each once, at most eight. */
export function parseGroups(text: string): string[] {
  const groups = text.split(",").map(parseGroup).filter((group) => group !== undefined);
  return [...new Set(groups.map(groupText))].slice(0, GROUPS_MAX);
}

/** A word for "by nothing": an empty parameter would be left out of the address. */
const NOTHING = "none";
const DEFAULT_BY = "src_addr";

export function readState(params: Record<string, string>): ExploreState {
  const by = params.by ?? DEFAULT_BY;
  const n = Number(params.n);
  const bucketS = Number(/^(\d+)s?$/.exec(params.bucket ?? "")?.[1]);
  const compare = (["previous", "day", "week"] as const).find((one) => one === params.cmp);
  return {
    by: by === NOTHING ? [] : parseGroups(by),
    measure: MEASURES.find((one) => one === params.m) ?? "bps",
    unscaled: params.unscaled === "1",
    n: Number.isInteger(n) && n >= 1 ? Math.min(n, TOP_MAX) : 10,
    view: VIEWS.find((one) => one === params.view) ?? "area",
    both: params.both === "1",
    ...(compare && { compare }),
    ...(bucketS >= 1 && { bucketS }),
    order: /^-?[a-z0-9_/]{1,80}$/.test(params.order ?? "") ? params.order! : "",
  };
}

/** The parameters of a state; what is as by default is left out. */
export function writeState(state: ExploreState): Record<string, string | undefined> {
  const by = state.by.length === 0 ? NOTHING : state.by.join(",");
  return {
    by: by === DEFAULT_BY ? undefined : by,
    m: state.measure === "bps" ? undefined : state.measure,
    unscaled: state.unscaled ? "1" : undefined,
    n: state.n === 10 ? undefined : String(state.n),
    view: state.view === "area" ? undefined : state.view,
    both: state.both ? "1" : undefined,
    cmp: state.compare,
    bucket: state.bucketS ? `${state.bucketS}s` : undefined,
    order: state.order || undefined,
  };
}

/** Moves one entry of a list to another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const next = [...list];
  const [one] = next.splice(from, 1);
  if (one !== undefined) next.splice(Math.max(0, Math.min(to, next.length)), 0, one);
  return next;
}
