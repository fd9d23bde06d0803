import { expect, test } from "vitest";
import type { ColumnDef } from "../api/types";
import { chosen, clampWidth, grouped, movedTo, readWidths, usual } from "./columns";

const def = (name: string, group = "key", more: Partial<ColumnDef> = {}) =>
  ({ name, group, doc: `about ${name}`, unit: "", type: "u32", stored: true, ...more }) as ColumnDef;
const NAMES = [
  "received_at", "exporter_addr", "src_addr", "dst_addr", "src_port", "dst_port", "proto", "octets",
  "packets", "in_if", "out_if", "in_if_name", "src_pod", "vlan", "sampling_rate", "tcp_flags",
];
const DEFS = NAMES.map((name) => def(name));

test("the usual columns fit the data", () => {
  const dimension = (name: string, rows: number, distinct: number) => ({ name, rows, distinct });
  const found = usual(DEFS, [
    dimension("src_addr", 1_000, 50), dimension("in_if", 1_000, 4), dimension("in_if_name", 800, 4),
    dimension("out_if", 900, 4), dimension("src_pod", 100, 7), dimension("vlan", 1_000, 1),
    dimension("sampling_rate", 5, 3), dimension("tcp_flags", 900, 1),
  ]);
  expect(found).toEqual([
    "received_at", "exporter_addr", "src_pod", "src_addr", "src_port", "dst_addr", "dst_port", "proto",
    "tcp_flags", "octets", "packets", "in_if_name", "out_if",
  ]);
});

test("without knowledge of the data the common ones", () => {
  expect(usual(DEFS, undefined)).toContain("in_if");
  expect(usual(DEFS, [])).not.toContain("src_pod");
});

test("an address cannot choose what does not exist, nor twice", () => {
  expect(chosen("proto,evil<b>,proto,octets,", DEFS)).toEqual(["proto", "octets"]);
  expect(chosen("sequence", [def("sequence", "exporter", { stored: false })])).toEqual([]);
});

test("kept widths are sane or dropped", () => {
  expect(readWidths('{"proto":9999,"octets":100.4,"nothing":80,"vlan":"x"}', DEFS)).toEqual({ proto: 640, octets: 100 });
  expect(readWidths("{", DEFS)).toEqual({});
  expect(readWidths("null", DEFS)).toEqual({});
  expect(clampWidth(1)).toBe(56);
});

test("order is changed one at a time", () => {
  expect(movedTo(["a", "b", "c"], 0, 2)).toEqual(["b", "c", "a"]);
  expect(movedTo(["a", "b", "c"], 2, 0)).toEqual(["c", "a", "b"]);
  expect(movedTo(["a"], 3, 0)).toEqual(["a"]);
  expect(movedTo(["a", "b"], 0, 9)).toEqual(["b", "a"]);
});

test("search finds every word in name, group or description", () => {
  const defs = [def("src_addr"), def("src_pod", "kubernetes"), def("sequence", "exporter", { stored: false })];
  expect(grouped(defs, "kubernetes src", () => true)).toEqual([{ name: "kubernetes", columns: [defs[1]] }]);
  expect(grouped(defs, "", (name) => name !== "src_pod").map((group) => group.name)).toEqual(["key"]);
});
