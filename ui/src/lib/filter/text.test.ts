import { expect, test } from "vitest";
import { carried, charsBefore, indexAt, pieces, proposal, spoken } from "./text";

const TEXT = 'pod = "😀é" and x';

test("characters and UTF-16 units are told apart", () => {
  expect(indexAt(TEXT, 8)).toBe(9);
  expect(charsBefore(TEXT, 9)).toBe(8);
  expect(indexAt(TEXT, 999)).toBe(TEXT.length);
  for (let chars = 0; chars <= Array.from(TEXT).length; chars += 1) {
    expect(charsBefore(TEXT, indexAt(TEXT, chars))).toBe(chars);
  }
});

test("pieces give back the whole text, with the wrong place marked", () => {
  const tokens = [{ offset: 0, length: 3, kind: "column" }, { offset: 6, length: 4, kind: "text" }];
  const cut = pieces(TEXT, tokens, { offset: 15, length: 1 });
  expect(cut.map((piece) => piece.text).join("")).toBe(TEXT);
  expect(cut.filter((piece) => piece.kind !== "")).toEqual([
    { text: "pod", kind: "column", wrong: false },
    { text: '"😀é"', kind: "text", wrong: false },
  ]);
  expect(cut.filter((piece) => piece.wrong).map((piece) => piece.text)).toEqual(["x"]);
});

test("a missing value at the end points at the last character", () => {
  expect(pieces("a =", [], { offset: 3, length: 0 }).filter((piece) => piece.wrong)).toEqual([
    { text: "=", kind: "", wrong: true },
  ]);
  expect(pieces("", [], { offset: 0, length: 0 })).toEqual([]);
});

test("colours stay while a text is edited in its middle", () => {
  const tokens = [
    { offset: 0, length: 1, kind: "column" }, { offset: 2, length: 1, kind: "operator" },
    { offset: 4, length: 2, kind: "value" }, { offset: 7, length: 3, kind: "keyword" },
  ];
  expect(carried(tokens, "a = 12 and", "a = 192 and")).toEqual([
    { offset: 0, length: 1, kind: "column" }, { offset: 2, length: 1, kind: "operator" },
    { offset: 8, length: 3, kind: "keyword" },
  ]);
  expect(carried(tokens, "a = 12 and", "")).toEqual([]);
});

test("only a plain proposal is a fix", () => {
  expect(proposal("did you mean `proto`?")).toBe("proto");
  expect(proposal("GET /api/v1/filter/complete tells what can stand here")).toBeUndefined();
  expect(proposal(undefined)).toBeUndefined();
});

test("back-ticks of a sentence become code", () => {
  expect(spoken("`prto` is not a column")).toEqual([
    { text: "prto", code: true }, { text: " is not a column", code: false },
  ]);
});
