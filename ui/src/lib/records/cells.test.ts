import { expect, test } from "vitest";
import type { ColumnDef, FlowRecord, Value } from "../api/types";
import { cellText, elementText, recordAt, told, wholeText, type Writer } from "./cells";

const def = (name: string, type: string, more: Partial<ColumnDef> = {}) =>
  ({ name, type, group: "key", elements: [], ...more }) as ColumnDef;
const writer: Writer = {
  named: (column, value) => (column === "proto" && value === 6 ? "tcp" : String(value)),
  zone: "utc",
  day: "2026-11-20",
};
const PROTO = def("proto", "u8", { names: [{ value: 6, name: "tcp" }] });

test("cells are short: names, thousands apart, the time of the day that is meant", () => {
  expect(cellText(PROTO, 6, writer)).toBe("tcp");
  expect(cellText(def("octets", "u64"), "18446744073709551615", writer)).toBe("18\u202f446\u202f744\u202f073\u202f709\u202f551\u202f615");
  expect(cellText(def("src_port", "u16"), 54321, writer)).toBe("54321");
  expect(cellText(def("received_at", "time"), "2026-11-20T17:03:41.195660496Z", writer)).toBe("17:03:41.195");
  expect(cellText(def("received_at", "time"), "2026-11-19T17:03:41.195Z", writer)).toBe("2026-11-19 17:03:41.195");
});

test("what is not told is empty, and never zero", () => {
  expect(cellText(def("octets", "u64"), null, writer)).toBe("");
  expect(cellText(def("octets", "u64"), undefined, writer)).toBe("");
  expect(cellText(def("octets", "u64"), 0, writer)).toBe("0");
});

test("details keep every digit and the number behind a name", () => {
  expect(wholeText(def("received_at", "time"), "2026-11-20T17:03:41.195660496Z", writer)).toBe("2026-11-20 17:03:41.195660496");
  expect(wholeText(PROTO, 6, writer)).toBe("tcp (6)");
  expect(wholeText(PROTO, 250, writer)).toBe("250");
});

test("a record tells its values by group and leaves out the rest", () => {
  const record = { kind: "flow", proto: 6, octets: null, extra: {} } as unknown as FlowRecord;
  const defs = [PROTO, def("octets", "u64", { group: "counter" }), def("extra", "elements", { group: "other" })];
  expect(told(record, defs)).toEqual([{ group: "key", values: [{ def: PROTO, value: 6 }] }]);
});

test("columns become a record again", () => {
  const columns = [{ name: "proto", values: [1, 6] as Value[] }, { name: "vlan", values: [null, null] as Value[] }];
  expect(recordAt(columns, 1)).toEqual({ proto: 6 });
});

test("elements are named with their enterprise", () => {
  expect(elementText(def("a", "u8", { elements: [{ pen: 0, id: 8 }, { pen: 56506, id: 101 }] }))).toBe("IE 8, 56506/101");
});
