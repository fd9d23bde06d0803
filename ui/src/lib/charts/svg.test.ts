import { expect, test } from "vitest";
import { runs } from "./plot";
import { timeSvg, xml } from "./svg";

const drawing = {
  title: "Rate", times: [0, 1000, 2000, 3000], bucketMs: 1000, mode: "area" as const, measure: "bps", zone: "utc",
  colour: (token: string) => (token === "--surface" ? "#ffffff" : "#0b7285"),
};

test("names from the network cannot leave their text", () => {
  const label = `</text><script>alert(1)</script>&"'\u0000`;
  const svg = timeSvg({ ...drawing, series: [{ key: "a", label, token: "--a", values: [1, 2, 3, 4] }] });
  expect(svg).not.toContain("<script");
  expect(svg).toContain("&lt;/text&gt;&lt;script&gt;");
  expect(svg).not.toContain("\u0000");
});

test("a gap parts a line, a lone bucket is a dot", () => {
  const svg = timeSvg({ ...drawing, mode: "lines", series: [{ key: "a", label: "a", token: "--a", values: [1, 2, null, 4] }] });
  expect(svg.match(/fill="none"/g)).toHaveLength(1);
  expect(svg.match(/<circle/g)).toHaveLength(1);
});

test("what is switched off is not saved", () => {
  const series = [{ key: "a", label: "alpha", token: "--a", values: [1, 2, 3, 4] }];
  expect(timeSvg({ ...drawing, series, hidden: new Set(["a"]) })).not.toContain("alpha");
});

test("runs are first and last of what is known", () => {
  expect(runs([null, 1, 2, null, 3])).toEqual([[1, 2], [4, 4]]);
});

test("characters of other planes stay, lone halves do not", () => {
  expect(xml("a\ud83d\ude00\ud800")).toBe("a\ud83d\ude00\ufffd");
});
