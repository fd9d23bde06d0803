import { afterEach, expect, test, vi } from "vitest";
import { backOff, Meter, Ring } from "./ring";
import { SseReader } from "./sse";
import { Tail } from "./tail.svelte";

afterEach(() => vi.unstubAllGlobals());

const STREAM = ': tailing\n\nevent: record\ndata: {"a":1}\n\n: still here\n\nevent: skipped\r\ndata: {"skipped":3}\r\n\r\ndata: one\ndata: two\n\n';
const EVENTS = [
  { kind: "record", data: '{"a":1}' },
  { kind: "skipped", data: '{"skipped":3}' },
  { kind: "message", data: "one\ntwo" },
];

test("events are the same however the stream is cut", () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const reader = new SseReader();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...reader.push(STREAM.slice(at, at + size)));
    expect(events).toEqual(EVENTS);
  }
});

test("an event that has no end is given up", () => {
  const reader = new SseReader();
  expect(() => reader.push(`data: ${"x".repeat(4_000_001)}`)).toThrow("longer than 4 MB");
});

test("the ring shows the newest first and keeps its bound", () => {
  const ring = new Ring<number>(3);
  ring.push([1, 2]);
  ring.push([3, 4, 5]);
  expect([0, 1, 2, 3].map((row) => ring.at(row))).toEqual([5, 4, 3, undefined]);
  expect([ring.rows, ring.came]).toEqual([3, 5]);
});

test("a paused ring stands still, holds what it can and counts the rest", () => {
  const ring = new Ring<number>(3);
  ring.push([1]);
  ring.pause();
  ring.push([2, 3, 4, 5]);
  expect([ring.rows, ring.at(0), ring.held, ring.missed, ring.came]).toEqual([1, 1, 3, 1, 5]);
  ring.resume();
  expect([0, 1, 2].map((row) => ring.at(row))).toEqual([5, 4, 3]);
  expect([ring.held, ring.missed]).toEqual([0, 0]);
});

test("a rate is that of the last seconds", () => {
  const meter = new Meter(5_000);
  expect(meter.rate(0)).toBe(0);
  for (let at = 0; at < 10_000; at += 250) meter.add(25, at);
  expect(meter.rate(9_999)).toBe(100);
  expect(meter.rate(20_000)).toBe(0);
});

test("a young rate is not blown up", () => {
  const meter = new Meter(5_000);
  meter.add(50, 0);
  expect(meter.rate(10)).toBe(50);
  expect(meter.rate(2_000)).toBe(25);
});

test("waiting doubles up to half a minute", () => {
  expect([1, 2, 3, 6, 50].map(backOff)).toEqual([1_000, 2_000, 4_000, 30_000, 30_000]);
});

test("a stream that cannot be read is let go of", async () => {
  vi.stubGlobal("window", globalThis);
  const tail = new Tail();
  await new Promise<void>((done) => {
    const broken = new TextEncoder().encode("event: record\ndata: {\n\n");
    const body = new ReadableStream({ start: (stream) => stream.enqueue(broken), cancel: () => done() });
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(body)));
    tail.start("");
  });
  tail.stop();
});
