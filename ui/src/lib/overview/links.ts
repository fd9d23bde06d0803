// Where a click leads: into Explore with the range, the filter and the grouping carried.

import type { Value } from "../api/types";
import { condition, joined } from "../filter/condition";
import { router } from "../state/router.svelte";
import { schema } from "../state/schema.svelte";
import { view } from "../state/view.svelte";

/** The question behind a list or a chart, whole. */
export function exploreLink(by: string[], measure: string, more: Record<string, string> = {}): string {
  return router.href("explore", { by: by.join(","), m: measure, ...more });
}

/** The filter that keeps one group. */
export function filterOf(by: string[], group: Value[]): string {
  return by.reduce((filter, name, i) => joined(filter, condition(name, group[i] ?? null, schema.find(name))), view.filter);
}

/** One group of it, divided by what one would ask next. */
export function groupLink(by: string[], group: Value[], measure: string): string {
  return router.href("explore", { filter: filterOf(by, group), by: next(by), m: measure });
}

const NEXT: Record<string, string> = {
  src_addr: "dst_addr", dst_addr: "src_addr", proto: "dst_port", dst_port: "src_addr", exporter_addr: "proto",
  src_namespace: "dst_namespace", dst_namespace: "src_namespace", src_pod: "dst_pod", dst_pod: "src_pod",
  src_as: "dst_as", dst_as: "src_as", src_country: "dst_country", dst_country: "src_country",
};

function next(by: string[]): string {
  return NEXT[by.at(-1)!.split("/")[0]!] ?? "src_addr";
}
