// Which columns are offered to group by, and in which order: those with data first.

import type { ColumnDef, Dimension } from "../api/types";

export interface Offer {
  name: string;
  doc: string;
  group: string;
  /** Records with a value in the last hour; undefined where nothing is known. */
  rows?: number;
  /** Nothing was told in the last hour. */
  silent: boolean;
}

/** What people usually ask for, before all else. */
const USUAL = ["src_addr", "dst_addr", "proto", "dst_port", "src_port", "exporter_addr", "in_if", "out_if", "src_as", "dst_as", "src_namespace", "dst_namespace", "src_country", "dst_country"];

/** Columns that may be grouped by and are not yet, searched by name and description. */
export function offers(columns: ColumnDef[], dimensions: Dimension[] | undefined, by: string[], search: string): Offer[] {
  const taken = new Set(by);
  const told = dimensions && new Map(dimensions.map((dimension) => [dimension.name, dimension]));
  const words = search.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const usual = (name: string) => (USUAL.includes(name) ? USUAL.indexOf(name) : USUAL.length);
  const found = columns
    .filter((column) => column.role === "dimension" && column.stored && !taken.has(column.name))
    .filter((column) => words.every((word) => `${column.name} ${column.group} ${column.doc}`.toLowerCase().includes(word)))
    .map((column): Offer => {
      const data = told?.get(column.name);
      const silent = told !== undefined && (data?.rows ?? 0) === 0;
      return { name: column.name, doc: column.doc, group: column.group, silent, ...(data && { rows: data.rows }) };
    });
  const inName = (offer: Offer) => (words.length > 0 && words.every((word) => offer.name.includes(word)) ? 0 : 1);
  return found.sort((a, b) => Number(a.silent) - Number(b.silent) || inName(a) - inName(b) || usual(a.name) - usual(b.name));
}
