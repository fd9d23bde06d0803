import { expect, test } from "vitest";
import type { ColumnDef } from "../api/types";
import { condition, joined, quote } from "./condition";

const def = (type: string) => ({ type }) as ColumnDef;

test("values become conditions of their type", () => {
  expect(condition("src_addr", "10.0.0.1", def("addr"))).toBe("src_addr = 10.0.0.1");
  expect(condition("src_addr/24/64", "10.0.0.0", def("addr"))).toBe("src_addr in 10.0.0.0/24");
  expect(condition("src_addr/24/64", "fd00::", def("addr"))).toBe("src_addr in fd00::/64");
  expect(condition("src_addr/24", "fd00::1", def("addr"))).toBe("src_addr = fd00::1");
  expect(condition("proto", 6, def("u8"))).toBe("proto = 6");
  expect(condition("octets", "18446744073709551615", def("u64"))).toBe("octets = 18446744073709551615");
  expect(condition("src_pod", null, def("string"))).toBe("src_pod is null");
  expect(condition("as_path", [64512, 65000], def("u32_list"))).toBe("as_path has 64512 and as_path has 65000");
});

test("leaving out keeps rows without a value", () => {
  expect(condition("src_as", 1, def("u32"), true)).toBe("not src_as = 1");
});

test("hostile text stays text", () => {
  expect(quote('a" or 1=1 \\ \n\u0007')).toBe('"a\\" or 1=1 \\\\ \\n\\u{7}"');
});

test("an or is put in brackets before more is asked", () => {
  expect(joined("a = 1 or b = 2", "c = 3")).toBe("(a = 1 or b = 2) and c = 3");
  expect(joined("  ", "c = 3")).toBe("c = 3");
});
