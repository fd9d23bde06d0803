// How values are called on the overview.

import type { Value } from "../api/types";
import { schema } from "../state/schema.svelte";
import { serviceOf } from "./services";

/** `10.1.2.0/24` for a group by prefix, the name of an exporter where it is known. */
export function nameOf(column: string, value: Value, exporters: ReadonlyMap<string, string>): string {
  if (value === null) return "none told";
  const [name = "", v4, v6] = column.split("/");
  if (name === "exporter_addr") return exporters.get(String(value)) ?? String(value);
  const text = schema.text(name, value);
  const length = text.includes(":") ? v6 : v4;
  return length ? `${text}/${length}` : text;
}

export interface Label {
  text: string;
  /** Said beside it, quieter. */
  aside?: string;
}

export function labelOf(by: string[], group: Value[], exporters: ReadonlyMap<string, string>): Label {
  if (by.join() === "proto,dst_port") {
    const [proto, port] = group;
    if (port === null || port === undefined) return { text: nameOf("proto", proto ?? null, exporters), aside: "no port" };
    return { text: `${nameOf("proto", proto ?? null, exporters)} ${String(port)}`, aside: serviceOf(Number(proto), Number(port)) };
  }
  return { text: by.map((name, i) => nameOf(name, group[i] ?? null, exporters)).join(" · ") };
}
