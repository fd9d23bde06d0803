import { expect, test } from "vitest";
import { csvCell, csvOf, twinOf } from "./twin";

test("text that looks like a formula is defused, numbers are not touched", () => {
  expect(["=1+1", "+1", "-1", "@x", "\tx", "  =x"].map(csvCell)).toEqual(["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'  =x"]);
  expect(csvCell(-1.5)).toBe("-1.5");
  expect(csvCell(null)).toBe("");
});

test("quotes, commas and line ends are quoted", () => {
  expect(csvCell('a "b", c')).toBe('"a ""b"", c"');
  expect(csvCell("a\nb")).toBe('"a\nb"');
  expect(csvCell('=HYPERLINK("x")')).toBe('"\'=HYPERLINK(""x"")"');
});

test("a chart's table has a row for each bucket and keeps gaps empty", () => {
  const series = [
    { key: "a", label: "=a", token: "", values: [1, null] },
    { key: "a", label: "a", token: "", values: [2, 0], reverse: true },
  ];
  const twin = twinOf([0, 1000], series, { moment: String, figure: String, reverse: "received" });
  expect(csvOf(twin)).toBe("time,'=a,a (received)\r\n1970-01-01T00:00:00.000Z,1,2\r\n1970-01-01T00:00:01.000Z,,0\r\n");
});
