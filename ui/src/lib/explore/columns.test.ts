import { expect, test } from "vitest";
import type { ColumnDef } from "../api/types";
import { offers } from "./columns";

const column = (name: string, more: Partial<ColumnDef> = {}) =>
  ({ name, role: "dimension", stored: true, group: "key", doc: `About ${name}`, type: "u8", unit: "" , ...more }) as ColumnDef;
const all = [column("tos"), column("src_addr"), column("octets", { role: "measure" }), column("sequence", { stored: false }), column("dst_port"), column("src_pod", { group: "kubernetes" })];
const names = (...args: Parameters<typeof offers>) => offers(...args).map((offer) => offer.name);

test("only stored dimensions that are not taken are offered, the usual ones first", () => {
  expect(names(all, undefined, ["dst_port"], "")).toEqual(["src_addr", "tos", "src_pod"]);
});

test("a column may be taken twice with different prefixes", () => {
  expect(names(all, undefined, ["src_addr/24"], "src_a")).toEqual(["src_addr"]);
});

test("columns without data come last and say so", () => {
  const found = offers(all, [{ name: "src_pod", rows: 5, distinct: 2 }], [], "");
  expect(found.map((offer) => [offer.name, offer.silent, offer.rows])).toEqual([
    ["src_pod", false, 5], ["src_addr", true, undefined], ["dst_port", true, undefined], ["tos", true, undefined],
  ]);
});

test("words are searched in names, groups and descriptions", () => {
  expect(names(all, undefined, [], "kubernetes")).toEqual(["src_pod"]);
  expect(names(all, undefined, [], "about port")).toEqual(["dst_port"]);
});
