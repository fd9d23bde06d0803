import { afterEach, expect, test, vi } from "vitest";
import { NEWEST, Records } from "./records.svelte";

afterEach(() => vi.unstubAllGlobals());

const STATS = { from: "2026-11-20T11:00:00Z", to: "2026-11-20T12:00:00Z" };
const COUNT = { columns: [], other: [], total: [{ name: "flows", values: [5] }], stats: STATS };
const PAGE = { columns: [{ name: "octets", values: [1, 2, 3, 4, 5] }], rows: 5, next: null, stats: STATS };

const question = (filter: string) => ({ from: "-1h", to: "now", filter, sort: NEWEST });

test("a question that is called off leaves what is shown and asks for no page", async () => {
  let isSlow = false;
  const asked = vi.fn((path: string, init: RequestInit) => {
    if (!isSlow) return Promise.resolve(Response.json(path === "/api/v1/query" ? COUNT : PAGE));
    return new Promise<Response>((_, fail) => {
      init.signal!.addEventListener("abort", () => fail(new DOMException("called off", "AbortError")));
    });
  });
  vi.stubGlobal("fetch", asked);
  const records = new Records();
  await records.ask(question("proto = 6"), ["octets"]);
  await vi.waitFor(() => expect(records.has(0)).toBe(true));

  isSlow = true;
  const second = records.ask(question("proto = 17"), ["octets"]);
  records.stop();
  const before = asked.mock.calls.length;
  await second;
  expect(records.pinned?.filter).toBe("proto = 6");
  expect(asked.mock.calls.length).toBe(before);
});
