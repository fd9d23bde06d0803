// The list of exporters: what is searched, how it is ordered, what needs a look.

import type { Column, Exporter } from "../api/types";
import { LOST_MS, lossOf } from "../overview/plan";
import { lossesOf } from "./reasons";
import { LOSS_MAX, SKEW_MAX_MS } from "./words";

export interface Row {
  key: string;
  exporter: Exporter;
  lastSeen: number;
  isSilent: boolean;
  loss: { missing: number; share: number };
  dropped: number;
  isLossy: boolean;
  isSkewed: boolean;
}

export type Order = "addr" | "rate" | "loss" | "dropped" | "templates" | "skew" | "seen";

export function keyOf(exporter: Pick<Exporter, "addr" | "domain" | "protocol">): string {
  return `${exporter.addr}|${exporter.domain}|${exporter.protocol}`;
}

export function rows(exporters: Exporter[], now: number): Row[] {
  return exporters.map((exporter) => {
    const lastSeen = Date.parse(exporter.last_seen);
    const loss = lossOf([exporter]);
    return {
      key: keyOf(exporter),
      exporter,
      lastSeen,
      isSilent: now - lastSeen > LOST_MS,
      loss,
      dropped: lossesOf(exporter.dropped),
      isLossy: loss.share > LOSS_MAX,
      isSkewed: Math.abs(exporter.clock_skew_ms) > SKEW_MAX_MS,
    };
  });
}

/** Sampling rates by exporter and domain, of an answer grouped by those and by rate. */
export function ratesTold([addr, domain, rate]: Column[]): Map<string, number[]> {
  const told = new Map<string, number[]>();
  addr?.values.forEach((value, row) => {
    const key = `${value}|${domain?.values[row]}`;
    told.set(key, [...(told.get(key) ?? []), Number(rate?.values[row])]);
  });
  return told;
}

/** With the rates of its records where its options tell none. */
export function withRates(exporter: Exporter, told: Map<string, number[]> | undefined): Exporter {
  const rates = told?.get(`${exporter.addr}|${exporter.domain}`);
  if (!rates || exporter.sampling.length > 0) return exporter;
  return { ...exporter, sampling: rates.map((rate) => ({ sampler: null, rate })) };
}

/** Rows whose name, address, protocol or domain has every word. */
export function found(all: Row[], search: string): Row[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter(({ exporter }) => {
    const text = `${exporter.name ?? ""} ${exporter.addr} ${exporter.protocol} domain ${exporter.domain}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

const BY: Record<Order, (row: Row) => number> = {
  addr: () => 0,
  rate: (row) => row.exporter.records_per_second,
  loss: (row) => row.loss.share,
  dropped: (row) => row.dropped,
  templates: (row) => row.exporter.templates,
  skew: (row) => Math.abs(row.exporter.clock_skew_ms),
  seen: (row) => row.lastSeen,
};

export function ordered(all: Row[], order: Order, desc: boolean): Row[] {
  const turn = desc ? -1 : 1;
  // Why: equal figures keep their place from one refresh to the next.
  return [...all].sort((a, b) => turn * (BY[order](a) - BY[order](b)) || (order === "addr" && desc ? -1 : 1) * byAddress(a, b));
}

function byAddress(a: Row, b: Row): number {
  const collate = (x: string, y: string) => x.localeCompare(y, "en", { numeric: true });
  return collate(a.exporter.addr, b.exporter.addr) || a.exporter.domain - b.exporter.domain || collate(a.key, b.key);
}
