/// <reference types="node" />
// What the exporters of the corpus were fed with, counted when the frames were made.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const FOLDER = resolve(import.meta.dirname, "../../../crates/weir-wire/tests/fixtures/corpus/generated");

export interface Flow {
  src: string;
  dst: string;
  proto: number;
  sport: number | null;
  dport: number | null;
  packets: number;
  ip_bytes: number;
}

export const truth = JSON.parse(readFileSync(join(FOLDER, "generated-ovs-ipfix.traffic.json"), "utf8")) as {
  packets: number;
  ip_bytes: number;
  flows: Flow[];
};

/** pmacct's NetFlow v9 export of that traffic is exact (weir-wire, tests/it/truth.rs). */
export const EXACT = { capture: "generated/generated-pmacct-nf9.pcap", filter: "export_protocol = netflow9", records: truth.flows.length };
/** Other exporters of the same traffic, so that there are several. */
export const OTHERS = ["generated/generated-softflowd-nf5.pcap", "generated/generated-ovs-ipfix.pcap"];

/** Sums by a key, largest packets first. */
export function sums(key: (flow: Flow) => string): Map<string, { packets: number; octets: number }> {
  const found = new Map<string, { packets: number; octets: number }>();
  for (const flow of truth.flows) {
    const sum = found.get(key(flow)) ?? { packets: 0, octets: 0 };
    sum.packets += flow.packets;
    sum.octets += flow.ip_bytes;
    found.set(key(flow), sum);
  }
  return new Map([...found].sort((a, b) => b[1].packets - a[1].packets));
}
