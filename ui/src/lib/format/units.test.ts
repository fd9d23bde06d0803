import { expect, test } from "vitest";
import { exact, measureText, percent, si } from "./units";

test("three digits and a decimal prefix", () => {
  expect(si(0)).toBe("0");
  expect(si(999.6, "B")).toBe("1.00 kB");
  expect(si(1_250_000, "bit/s")).toBe("1.25 Mbit/s");
  expect(si(12, "B")).toBe("12 B");
  expect(si(null)).toBe("–");
});

test("measures bring their unit", () => {
  expect(measureText("previous.bps", 4_279_910)).toBe("4.28 Mbit/s");
  expect(measureText("flows", 1536)).toBe("1.54 k");
});

test("exact counts keep every digit", () => {
  expect(exact("18446744073709551615")).toBe("18\u202f446\u202f744\u202f073\u202f709\u202f551\u202f615");
  expect(exact(null)).toBe("–");
});

test("shares", () => {
  expect(percent(1, 3)).toBe("33 %");
  expect(percent(1, 0)).toBe("–");
  expect(percent(1, 100_000)).toBe("<0.1 %");
});
