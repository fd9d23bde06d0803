import { expect, test } from "vitest";
import type { Exporter, Health } from "../api/types";
import { bucketSeconds, diskForecast, fit, keptBy, lossOf, ownDrops, questions, stations } from "./plan";
import { serviceOf } from "./services";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const dimension = (name: string) => ({ name, rows: 5, distinct: 2 });

function exporter(addr: string, more: Partial<Exporter> = {}): Exporter {
  return {
    addr, protocol: "ipfix", domain: 0, first_seen: "", last_seen: "2026-11-20T11:59:00Z", messages: 10, records: 90,
    octets: 1, records_per_second: 1, octets_per_second: 1, templates: 1, parked_sets: 0, names: 0, sampling: [],
    sequence: { missing: 0, gaps: 0, reordered: 0, duplicates: 0, restarts: 0 }, clock_skew_ms: 0, dropped: {}, ...more,
  };
}
const missing = (count: number) => ({ missing: count, gaps: 1, reordered: 0, duplicates: 0, restarts: 0 });

test("namespaces come first, then several exporters, then processes of one, then protocols", () => {
  expect(fit([dimension("src_namespace")], 5).by).toBe("src_namespace");
  expect(fit([dimension("dst_namespace")], 5).by).toBe("dst_namespace");
  expect(fit([], 2).by).toBe("exporter_addr");
  expect(fit([dimension("src_process")], 2).by).toBe("exporter_addr");
  expect(fit([dimension("src_process")], 1).by).toBe("src_process");
  expect(fit([], 1).by).toBe("proto");
});

test("only what the data holds is offered", () => {
  const offered = fit([dimension("src_as"), { name: "dst_as", rows: 0, distinct: 0 }], 1).stacks.map((stack) => stack.by);
  expect(offered).toEqual(["exporter_addr", "proto", "proto,dst_port", "src_addr", "dst_addr", "src_as"]);
});

test("the sankey joins pods where both ends have them, prefixes else", () => {
  expect(fit([dimension("src_pod"), dimension("dst_pod")], 1).ends).toEqual(["src_pod", "dst_pod"]);
  expect(fit([dimension("src_pod")], 1).ends).toEqual(["src_addr/24/64", "dst_addr/24/64"]);
});

test("few addresses are shown themselves", () => {
  const ends = (distinct: number) => fit([dimension("src_addr"), { name: "dst_addr", rows: 5, distinct }], 1).ends;
  expect(ends(32)).toEqual(["src_addr", "dst_addr"]);
  expect(ends(33)).toEqual(["src_addr/24/64", "dst_addr/24/64"]);
});

test("buckets are those of rollups from an hour on", () => {
  const back = (seconds: number) => bucketSeconds({ from: NOW - seconds * 1e3, to: NOW });
  expect(back(300)).toBe(5);
  expect(back(3600)).toBe(60);
  expect(back(86400)).toBe(900);
});

test("all questions share range and filter; the rate now is of the last minute", () => {
  const asked = { from: "2026-11-20T11:00:00.000Z", to: "2026-11-20T12:00:00.000Z", filter: "proto = tcp" };
  const all = questions(asked, "proto,dst_port", "pps", 60);
  for (const { to, filter, directions } of Object.values(all)) expect([to, filter, directions]).toEqual([asked.to, asked.filter, "split"]);
  expect(all.now.from).toBe("2026-11-20T11:59:00.000Z");
  expect(all.series).toMatchObject({ group_by: ["proto", "dst_port"], bucket: "60s", measures: ["pps", "flows"] });
  const short = questions({ ...asked, from: "2026-11-20T11:59:30.000Z" }, "proto", "bps", 1);
  expect(short.now.from).toBe("2026-11-20T11:59:30.000Z");
});

test("loss is told of what the protocol numbers: records of IPFIX, messages of sFlow", () => {
  expect(lossOf([exporter("a", { sequence: missing(10) })])).toEqual({ missing: 10, share: 0.1 });
  expect(lossOf([exporter("a", { protocol: "sflow5", sequence: missing(10) })])).toEqual({ missing: 10, share: 0.5 });
  expect(lossOf([])).toEqual({ missing: 0, share: 0 });
});

test("an address is one exporter, and lost ones come first", () => {
  const all = stations([
    exporter("a", { records_per_second: 2 }),
    exporter("b", { last_seen: "2026-11-20T11:00:00Z", name: "core-1" }),
    exporter("a", { protocol: "sflow5", domain: 1, records_per_second: 3 }),
  ], NOW);
  expect(all.map(({ addr, name, lost, recordsPerSecond, protocols }) => ({ addr, name, lost, recordsPerSecond, protocols }))).toEqual([
    { addr: "b", name: "core-1", lost: true, recordsPerSecond: 1, protocols: ["ipfix"] },
    { addr: "a", name: null, lost: false, recordsPerSecond: 5, protocols: ["ipfix", "sflow5"] },
  ]);
});

test("the disk's forecast in words", () => {
  expect([null, 0.4, 1.5, 12.9, 9999].map(diskForecast)).toEqual([
    "not filling", "full within a day", "full in a day", "full in 12 days", "not full within ten years",
  ]);
});

test("ports have the name that is usual for their protocol", () => {
  expect([serviceOf(6, 443), serviceOf(17, 443), serviceOf(17, 53), serviceOf(1, 53), serviceOf(6, 1)]).toEqual([
    "https", "quic", "dns", undefined, undefined,
  ]);
});

test("what is metered here counts like what is received", () => {
  const account = (kept: number, dropped: Record<string, number> = {}) => ({ received: kept, kept, in_flight: 0, dropped });
  const health = {
    sockets: [{ kernel_dropped: 7 }, { kernel_dropped: 1 }],
    ledger: { messages: account(10, { malformed: 2, duplicate: 9 }), sets: account(20), records: account(30) },
    meter: { ledger: { flows: account(400, { store: 3 }), counters: account(5000) } },
  } as unknown as Health;
  expect(keptBy(health)).toBe(5430);
  expect(ownDrops(health)).toEqual({ kernel: 8, weir: 5 });
});
