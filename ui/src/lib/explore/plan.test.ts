import { expect, test } from "vitest";
import { ask, bucketSeconds, isEmpty } from "./plan";
import { readState } from "./state";

const span = (hours: number) => ({ from: 0, to: hours * 3600e3 });

test("a question is pinned to a range and counts records beside its measure", () => {
  const { query } = ask(readState({ by: "proto", n: "5" }), span(1), "dst_port = 53");
  expect(query).toEqual({
    from: "1970-01-01T00:00:00Z", to: "1970-01-01T01:00:00Z", filter: "dst_port = 53",
    group_by: ["proto"], measures: ["bps", "flows"], limit: 5, bucket: "30s", directions: "split",
  });
});

test("flows are not asked for twice", () => {
  expect(ask(readState({ m: "flows" }), span(1), "").query.measures).toEqual(["flows"]);
  expect(ask(readState({ m: "fps" }), span(1), "").query.measures).toEqual(["fps", "flows"]);
});

test("what was received is asked for where it is to be shown", () => {
  expect(ask(readState({ both: "1" }), span(1), "").query.directions).toBe("both");
});

test("the sankey asks without buckets, what was received or an earlier period", () => {
  const { query } = ask(readState({ view: "sankey", both: "1", cmp: "day" }), span(1), "");
  expect([query.bucket, query.directions, query.compare, query.limit]).toEqual([undefined, "split", undefined, 400]);
});

test("a chosen bucket stands unless it would make too many points", () => {
  expect(bucketSeconds(span(1), 10, 10)).toBe(10);
  expect(bucketSeconds(span(24), 10, 1)).toBe(600);
  expect((24 * 3600) / bucketSeconds(span(24), 200, 60)).toBeLessThanOrEqual(90_000 / 202);
});

test("an answer without records is empty, whatever its measure says", () => {
  const answer = (flows: number[]) => ({ total: [{ name: "flows", type: "", unit: "", values: flows }] }) as never;
  expect(isEmpty(answer([0]))).toBe(true);
  expect(isEmpty(answer([]))).toBe(true);
  expect(isEmpty(answer([0, 3]))).toBe(false);
});

test("an answer to others' connections is traffic, though no record is its own", () => {
  const column = (name: string, values: number[]) => ({ name, type: "", unit: "", values });
  const total = (bps: number) => ({ total: [column("time", [1]), column("bps", [bps]), column("flows", [0])] }) as never;
  expect([isEmpty(total(0)), isEmpty(total(8))]).toEqual([true, false]);
});
