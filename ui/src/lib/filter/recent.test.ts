import { expect, test } from "vitest";
import { readList, RECENT_MAX, withRecent } from "./recent";

test("the newest filter stands first, once", () => {
  expect(withRecent(["a = 1", "b = 2"], " b = 2 ")).toEqual(["b = 2", "a = 1"]);
});

test("the list is bounded, empty and endless filters stay out", () => {
  const full = Array.from({ length: RECENT_MAX }, (_, i) => `a = ${i}`);
  expect(withRecent(full, "new = 1")).toEqual(["new = 1", ...full.slice(0, RECENT_MAX - 1)]);
  expect(withRecent(full, "  ")).toEqual(full);
  expect(withRecent(full, "x".repeat(2001))).toEqual(full);
});

test("foreign content of the storage is no list", () => {
  expect(readList('{"a":1}')).toEqual([]);
  expect(readList("[1, \"a = 1\", null]")).toEqual(["a = 1"]);
  expect(readList("not json")).toEqual([]);
});
