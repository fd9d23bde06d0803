import { expect, test } from "vitest";
import { groupText, moved, parseGroup, parseGroups, parseLengths, readState, writeState } from "./state";

test("groups carry prefix lengths there and back", () => {
  expect(parseGroup("src_addr/24/64")).toEqual({ column: "src_addr", v4: 24, v6: 64 });
  expect(groupText({ column: "src_addr", v4: 24 })).toBe("src_addr/24");
  expect(groupText({ column: "src_addr", v6: 64 })).toBe("src_addr/32/64");
  expect(["src_addr/33", "src_addr/24/129", "a b", "", "SRC"].map(parseGroup)).toEqual([undefined, undefined, undefined, undefined, undefined]);
});

test("a list of groups keeps each once and at most eight", () => {
  expect(parseGroups("proto, src_addr/24,proto,!!")).toEqual(["proto", "src_addr/24"]);
  expect(parseGroups("a,b,c,d,e,f,g,h,i,j")).toHaveLength(8);
});

test("lengths are read as people type them", () => {
  expect(parseLengths("/24/64")).toEqual({ v4: 24, v6: 64 });
  expect(parseLengths("16")).toEqual({ v4: 16, v6: undefined });
  expect(parseLengths(" ")).toEqual({});
  expect(parseLengths("/99")).toBeUndefined();
});

test("a state survives its address, defaults leave no trace", () => {
  const state = readState({ by: "src_addr/24,proto", m: "pps", n: "20", view: "sankey", both: "1", cmp: "day", bucket: "60s", unscaled: "1", order: "-max" });
  const written = writeState(state);
  expect(readState(written as Record<string, string>)).toEqual(state);
  expect(Object.values(writeState(readState({}))).every((value) => value === undefined)).toBe(true);
});

test("by nothing is not the default", () => {
  expect(readState({ by: "none" }).by).toEqual([]);
  expect(writeState(readState({ by: "none" })).by).toBe("none");
});

test("nonsense opens with defaults", () => {
  const state = readState({ m: "<b>", n: "-3", view: "x", cmp: "y", bucket: "soon", order: "a;b" });
  expect(state).toEqual(readState({}));
  expect(readState({ n: "9999999" }).n).toBe(200);
});

test("an entry moves and the others close up", () => {
  expect(moved(["a", "b", "c"], 0, 2)).toEqual(["b", "c", "a"]);
  expect(moved(["a", "b", "c"], 2, 0)).toEqual(["c", "a", "b"]);
  expect(moved(["a", "b"], 1, 9)).toEqual(["a", "b"]);
});
