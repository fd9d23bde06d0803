// How columns and values are called in Explore.

import type { Value } from "../api/types";
import { UNKNOWN } from "../charts/answer";
import { schema } from "../state/schema.svelte";

/** `10.1.2.0/24` for a group by prefix; what nobody told is "unknown". */
export function words(group: string, value: Value): string {
  if (value === null) return UNKNOWN;
  const [name = "", v4, v6] = group.split("/");
  const text = schema.text(name, value);
  const length = text.includes(":") ? v6 : v4;
  return length ? `${text}/${length}` : text;
}

export const MEASURE_WORDS: Record<string, { label: string; title: string }> = {
  bps: { label: "bit/s", title: "Rate of traffic" },
  pps: { label: "pkt/s", title: "Rate of packets" },
  fps: { label: "flows/s", title: "Rate of records" },
  octets: { label: "octets", title: "Traffic" },
  packets: { label: "packets", title: "Packets" },
  flows: { label: "flows", title: "Records" },
};

export const VIEW_WORDS: Record<string, string> = {
  area: "Stacked", lines: "Lines", percent: "100 %", bars: "Bars", grid: "Grid", sankey: "Sankey", heatmap: "Heatmap", table: "Table",
};
