// Numbers on the page are those of the API, and both are the truth that the exporter was fed with.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { measureText } from "../src/lib/format/units";
import { Watched } from "./harness/browser";
import { type Scene, scene } from "./harness/scene";
import { EXACT, sums, truth } from "./harness/truth";
import { type Answer, figure } from "./harness/weir";

let at: Scene;
let seconds: number;
beforeAll(async () => {
  at = await scene();
  seconds = (Date.parse(at.to) - Date.parse(at.from)) / 1e3;
});
afterAll(async () => at?.end());

const filter = `filter=${encodeURIComponent(EXACT.filter)}`;
const NAMES: Record<number, string> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp" };

async function asked(group_by: string[]): Promise<Map<string, { packets: number; octets: number }>> {
  const query = { from: at.from, to: at.to, filter: EXACT.filter, group_by, measures: ["packets", "octets"], limit: null };
  const answer = await at.weir.post<Answer>("/api/v1/query", query);
  return new Map((answer.columns[0]?.values ?? []).map((value, row) => [
    String(value),
    { packets: Number(figure(answer.columns, "packets", row)), octets: Number(figure(answer.columns, "octets", row)) },
  ]));
}

test("the API's sums are the truth, by source, destination and protocol", async () => {
  expect(new Map([...await asked(["src_addr"])].sort())).toEqual(new Map([...sums((flow) => flow.src)].sort()));
  expect(new Map([...await asked(["dst_addr"])].sort())).toEqual(new Map([...sums((flow) => flow.dst)].sort()));
  expect(new Map([...await asked(["proto"])].sort())).toEqual(new Map([...sums((flow) => String(flow.proto))].sort()));
});

const LISTS = [
  { title: "Top senders", key: (flow: { src: string }) => flow.src },
  { title: "Top receivers", key: (flow: { dst: string }) => flow.dst },
  { title: "Top protocols", key: (flow: { proto: number }) => NAMES[flow.proto] ?? String(flow.proto) },
] as const;

test("the overview's lists show the truth, in bits and in packets", async () => {
  const watched = await Watched.open(at.browser, at.weir.url);
  for (const [measure, of] of [["bps", "octets"], ["pps", "packets"]] as const) {
    await watched.go(`/overview?${at.range}&${filter}&m=${measure}`);
    for (const { title, key } of LISTS) {
      const expected = sums(key as (flow: unknown) => string);
      const rate = (name: string) => ((expected.get(name)?.[of] ?? NaN) * (of === "octets" ? 8 : 1)) / seconds;
      const rows = watched.page.getByRole("table", { name: title }).locator("tbody tr");
      const shown = await rows.evaluateAll((all) => all.map((row) => [
        row.querySelector("button")!.textContent!.trim(), row.querySelectorAll("td")[1]!.textContent!.trim(),
      ]));
      expect(shown.length, title).toBe(Math.min(8, expected.size));
      for (const [name, text] of shown) expect([name, text]).toEqual([name, measureText(measure, rate(name!))]);
      const least = Math.min(...shown.map(([name]) => rate(name!)));
      const left = [...expected.keys()].filter((name) => !shown.some(([seen]) => seen === name));
      for (const name of left) expect(rate(name)).toBeLessThanOrEqual(least);
    }
  }
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

test("the chart's CSV adds up to the packets that were sent", async () => {
  const watched = await Watched.open(at.browser, at.weir.url);
  await watched.go(`/overview?${at.range}&${filter}&m=pps&by=proto`);
  await watched.page.getByRole("button", { name: "Save", exact: true }).first().click();
  const [download] = await Promise.all([
    watched.page.waitForEvent("download"),
    watched.page.getByRole("menuitem", { name: "CSV" }).click(),
  ]);
  const lines = readFileSync(await download.path(), "utf8").trim().split(/\r?\n/).map((line) => line.split(","));
  const bucket = (Date.parse(lines[2]![0]!) - Date.parse(lines[1]![0]!)) / 1e3;
  const sum = lines.slice(1).flatMap((line) => line.slice(1)).reduce((all, cell) => all + Number(cell), 0);
  expect(Math.round(sum * bucket)).toBe(truth.packets);
  await watched.close();
});
