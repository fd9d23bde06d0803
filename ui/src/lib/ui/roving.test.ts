import { expect, test } from "vitest";
import { target } from "./roving";

const LABELS = ["Keep only this", "Leave this out", "Copy"];

test("arrows go round", () => {
  expect(target("ArrowDown", -1, LABELS)).toBe(0);
  expect(target("ArrowDown", 2, LABELS)).toBe(0);
  expect(target("ArrowUp", -1, LABELS)).toBe(2);
  expect(target("ArrowUp", 0, LABELS)).toBe(2);
  expect(target("End", 0, LABELS)).toBe(2);
});

test("a letter leads to the next entry that begins with it", () => {
  expect(target("c", 0, LABELS)).toBe(2);
  expect(target("L", -1, LABELS)).toBe(1);
  expect(target("x", 0, LABELS)).toBeUndefined();
});

test("an empty menu leaves every key alone", () => {
  expect(target("ArrowDown", -1, [])).toBeUndefined();
});
