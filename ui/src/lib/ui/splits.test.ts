import { expect, test } from "vitest";
import { splits } from "./splits";

test("the other side comes first, the column itself never", () => {
  expect(splits("src_as", () => true)).toEqual(["dst_as", "src_addr", "dst_addr", "dst_port", "proto"]);
  expect(splits("dst_addr/24", () => true)).toEqual(["src_addr", "dst_port", "proto", "exporter_addr", "in_if"]);
});

test("columns that the schema does not have are not offered", () => {
  expect(splits("src_x", (name) => name === "proto")).toEqual(["proto"]);
});
