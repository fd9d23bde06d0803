import { expect, test } from "vitest";
import { conjuncts, without } from "./conjuncts";

/** Tokens as the server gives them for words, brackets and joins. */
function tokens(filter: string) {
  return [...filter.matchAll(/"[^"]*"|[()]|[^\s()]+/g)].map((found) => ({
    offset: Array.from(filter.slice(0, found.index)).length,
    length: Array.from(found[0]).length,
    kind: /^[()]$/.test(found[0]) ? "punctuation" : found[0].startsWith('"') ? "text" : /^(and|or|not|&&)$/i.test(found[0]) ? "keyword" : "column",
  }));
}
const cut = (filter: string) => conjuncts(filter, tokens(filter));

test("conditions are cut at the joins outside of brackets", () => {
  expect(cut("proto = 6 and (a = 1 and b = 2) && not c = 3")).toEqual(["proto = 6", "(a = 1 and b = 2)", "not c = 3"]);
});

test("an or at the top keeps the filter whole", () => {
  expect(cut("a = 1 and b = 2 or c = 3")).toEqual(["a = 1 and b = 2 or c = 3"]);
});

test("joins inside of text and wide characters cut nothing", () => {
  expect(cut('src_pod = "😀 and b" and c = 3')).toEqual(['src_pod = "😀 and b"', "c = 3"]);
});

test("one condition is dropped, the others stay", () => {
  expect(without(["a = 1", "b = 2", "c = 3"], 1)).toBe("a = 1 and c = 3");
  expect(without(["a = 1"], 0)).toBe("");
});
