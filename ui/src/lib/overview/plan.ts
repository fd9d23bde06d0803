// What the overview asks: which questions fit the data, and how exporters and loss are summed up.
// Pure; all figures are given.

import type { Dimension, Exporter, Health, Query } from "../api/types";
import { lossesOf } from "../health/reasons";
import { bucketFor, type Span } from "../state/time";

export const MEASURES = ["bps", "pps", "fps"] as const;
export const TOP = 8;
/** An exporter that was silent for so long is called lost: five minutes pass any usual timeout. */
export const LOST_MS = 5 * 60e3;
/** So few addresses are clearer than their networks. */
const ADDRESSES_FEW = 32;
/** Rollups are kept per minute and wider: from this range on, buckets are theirs. */
const ROLLUP_FROM_S = 45 * 60;

export interface Stack {
  by: string;
  label: string;
}

/** What rates may be stacked by, in the order in which they suggest themselves. */
const STACKS: Stack[] = [
  { by: "src_namespace", label: "Source namespace" },
  { by: "dst_namespace", label: "Destination namespace" },
  { by: "src_process", label: "Source process" },
  { by: "dst_process", label: "Destination process" },
  { by: "exporter_addr", label: "Exporter" },
  { by: "proto", label: "Protocol" },
  { by: "proto,dst_port", label: "Destination port" },
  { by: "src_addr", label: "Source" },
  { by: "dst_addr", label: "Destination" },
  { by: "src_as", label: "Source AS" },
  { by: "dst_as", label: "Destination AS" },
  { by: "src_country", label: "Source country" },
  { by: "dst_country", label: "Destination country" },
];

/** Always offered, whatever the data holds. */
const PLAIN = new Set(["exporter_addr", "proto", "proto,dst_port", "src_addr", "dst_addr"]);

/** How a stack is called, also one that the data at hand does not suggest. */
export function stackLabel(by: string): string {
  return STACKS.find((stack) => stack.by === by)?.label ?? by.replaceAll(",", ", ");
}

export interface Fit {
  /** What is stacked by unless the address says otherwise. */
  by: string;
  stacks: Stack[];
  /** The two ends of the sankey. */
  ends: [string, string];
}

/** Chooses by what the data holds: namespaces, else several exporters, else protocols. */
export function fit(dimensions: Dimension[], exporters: number): Fit {
  const told = new Set(dimensions.filter((column) => column.rows > 0).map((column) => column.name));
  const stacks = STACKS.filter(({ by }) => PLAIN.has(by) || told.has(by));
  const named = told.has("src_namespace") || told.has("dst_namespace");
  const ends = dimensions.filter(({ name, rows }) => rows > 0 && (name === "src_addr" || name === "dst_addr"));
  const few = ends.length === 2 && ends.every(({ distinct }) => distinct <= ADDRESSES_FEW);
  const pods = told.has("src_pod") && told.has("dst_pod");
  const namespace = told.has("src_namespace") ? "src_namespace" : "dst_namespace";
  // Where one machine tells of itself alone, its processes say more than its protocols.
  const alone = told.has("src_process") ? "src_process" : "proto";
  const by = named ? namespace : exporters > 1 ? "exporter_addr" : alone;
  return { by, stacks, ends: pods ? ["src_pod", "dst_pod"] : few ? ["src_addr", "dst_addr"] : ["src_addr/24/64", "dst_addr/24/64"] };
}

/** Seconds of a bucket: whole minutes where rollups can answer, finer where records must. */
export function bucketSeconds(span: Span): number {
  const fine = bucketFor(span, 120);
  return (span.to - span.from) / 1e3 >= ROLLUP_FROM_S ? Math.max(60, fine) : fine;
}

export type Asked = Pick<Query, "from" | "to" | "filter">;

export interface Questions {
  series: Query;
  now: Query;
  sources: Query;
  destinations: Query;
  ports: Query;
  protocols: Query;
}

/**
 * All questions of the board, of one range and filter; `by` is a comma list. Each octet counts for
 * the end that sent it, also where one record carries both directions: so all figures agree.
 */
export function questions({ from, to, filter }: Asked, by: string, measure: string, bucket: number): Questions {
  const asked = { from, to, filter, directions: "split" } as const;
  const top = (...group_by: string[]): Query => ({ ...asked, group_by, measures: [measure, "flows"], order_by: measure, limit: TOP });
  return {
    series: { ...asked, group_by: by.split(","), measures: [measure, "flows"], bucket: `${bucket}s`, limit: TOP },
    now: { ...asked, from: lastMinute(asked), group_by: [], measures: [...MEASURES, "flows"] },
    sources: top("src_addr"),
    destinations: top("dst_addr"),
    ports: top("proto", "dst_port"),
    protocols: top("proto"),
  };
}

/** The last minute of the range, or all of a shorter one. */
function lastMinute({ from, to }: Asked): string {
  const start = Math.max(Date.parse(from), Date.parse(to) - 60e3);
  return new Date(start).toISOString();
}

export interface Loss {
  missing: number;
  /** Missing of all that were sent, by the exporters' own numbering. */
  share: number;
}

/** Exporters number records (NetFlow v5, IPFIX) or messages (NetFlow v9, sFlow). */
function numbered(exporter: Exporter): number {
  return /^(netflow5|netflow7|ipfix)$/.test(exporter.protocol) ? exporter.records : exporter.messages;
}

export function lossOf(exporters: Exporter[]): Loss {
  const missing = exporters.reduce((sum, one) => sum + one.sequence.missing, 0);
  const came = exporters.reduce((sum, one) => sum + numbered(one), 0);
  return { missing, share: missing + came === 0 ? 0 : missing / (missing + came) };
}

export interface Station {
  addr: string;
  name: string | null;
  protocols: string[];
  recordsPerSecond: number;
  lastSeen: number;
  lost: boolean;
  loss: Loss;
}

/** Exporters by address: one may send several protocols and observation domains. */
export function stations(exporters: Exporter[], now: number): Station[] {
  const byAddr = new Map<string, Exporter[]>();
  for (const one of exporters) byAddr.set(one.addr, [...(byAddr.get(one.addr) ?? []), one]);
  const all = [...byAddr].map(([addr, parts]): Station => {
    const lastSeen = Math.max(...parts.map((one) => Date.parse(one.last_seen)));
    return {
      addr,
      name: parts.find((one) => one.name)?.name ?? null,
      protocols: [...new Set(parts.map((one) => one.protocol))].sort(),
      recordsPerSecond: parts.reduce((sum, one) => sum + one.records_per_second, 0),
      lastSeen,
      lost: now - lastSeen > LOST_MS,
      loss: lossOf(parts),
    };
  });
  return all.sort((a, b) => Number(b.lost) - Number(a.lost) || b.recordsPerSecond - a.recordsPerSecond || (a.addr < b.addr ? -1 : 1));
}

/** Records kept since Weir's start: received ones, and those metered here. */
export function keptBy({ ledger, meter }: Health): number {
  return ledger.records.kept + meter.ledger.flows.kept + meter.ledger.counters.kept;
}

/** Dropped by the kernel and by Weir itself since its start, whatever the reason. */
export function ownDrops(health: Health): { kernel: number; weir: number } {
  const kernel = health.sockets.reduce((sum, socket) => sum + socket.kernel_dropped, 0);
  const { messages, sets, records } = health.ledger;
  const { flows, counters } = health.meter.ledger;
  const weir = [messages, sets, records, flows, counters].reduce((all, account) => all + lossesOf(account.dropped), 0);
  return { kernel, weir };
}

/** `full in 12 days`; null when retention holds it. */
export function diskForecast(days: number | null): string {
  if (days === null) return "not filling";
  if (days < 1) return "full within a day";
  if (days > 3650) return "not full within ten years";
  return days < 2 ? "full in a day" : `full in ${Math.floor(days)} days`;
}
