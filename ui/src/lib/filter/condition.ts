// Conditions of the filter language made from values that a person clicked on. The grammar itself
// lives on the server (docs/query.md); this only writes it.

import type { ColumnDef, Value } from "../api/types";

/** Text in quotes, as the filter language escapes it. */
export function quote(text: string): string {
  const named: Record<string, string> = { "\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r" };
  const escape = (c: string) => named[c] ?? `\\u{${c.charCodeAt(0).toString(16)}}`;
  return `"${text.replace(/[\\"\p{Cc}]/gu, escape)}"`;
}

/** The test that holds for rows of this group; `group` may carry prefix lengths (`src_addr/24/64`). */
function test(group: string, value: Value, def: ColumnDef | undefined): string {
  const [name = "", v4, v6] = group.split("/");
  if (value === null) return `${name} is null`;
  if (Array.isArray(value)) return value.map((part) => `${name} has ${String(part)}`).join(" and ");
  const text = String(value);
  if (def?.type === "addr") {
    const length = text.includes(":") ? v6 : v4;
    return length ? `${name} in ${text}/${length}` : `${name} = ${text}`;
  }
  return `${name} = ${def === undefined || def.type === "string" ? quote(text) : text}`;
}

/**
 * A condition that keeps (or leaves out) the rows of a group. Leaving out is `not …` and never
 * `!=`: rows that have no value at all stay.
 */
export function condition(group: string, value: Value, def: ColumnDef | undefined, leaveOut = false): string {
  const keep = test(group, value, def);
  if (!leaveOut) return keep;
  return / and /.test(keep) && Array.isArray(value) ? `not (${keep})` : `not ${keep}`;
}

/** The filter with one more condition; an `or` in it is put in brackets. */
export function joined(filter: string, more: string): string {
  const kept = filter.trim();
  if (kept === "") return more;
  return `${/(\bor\b|\|\|)/i.test(kept) ? `(${kept})` : kept} and ${more}`;
}
