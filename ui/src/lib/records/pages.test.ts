import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PAGE, Pages, wanted } from "./pages";

interface Asked {
  offset: number;
  signal: AbortSignal;
  answer: (data: string) => void;
  refuse: (error: Error) => void;
}

function rig() {
  const asked: Asked[] = [];
  const came: number[] = [];
  const failed: unknown[] = [];
  const pages = new Pages<string>({
    ask: (offset, limit, signal) => {
      expect(limit).toBe(PAGE);
      return new Promise((answer, refuse) => asked.push({ offset, signal, answer, refuse }));
    },
    came: (page) => came.push(page),
    failed: (error) => failed.push(error),
  });
  return { asked, came, failed, pages };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const settled = () => vi.advanceTimersByTimeAsync(200);

test("seen pages come before their neighbours", () => {
  expect(wanted(2_500, 3_100, 10_000)).toEqual([2, 3, 4, 1]);
  expect(wanted(0, 40, 900)).toEqual([0]);
  expect(wanted(0, 0, 0)).toEqual([]);
  expect(wanted(9_990, 10_040, 10_000)).toEqual([9, 8]);
});

test("a page is asked for once, then its neighbour, and is here afterwards", async () => {
  const { asked, came, pages } = rig();
  pages.show(0, 40, 5_000);
  expect(asked.map((one) => one.offset)).toEqual([0, 1_000]);
  asked[0]!.answer("first");
  await settled();
  pages.show(0, 41, 5_000);
  await settled();
  expect(asked).toHaveLength(2);
  expect(came).toEqual([0]);
  expect(pages.page(999)).toBe("first");
  expect(pages.page(1_000)).toBeUndefined();
});

test("what a dragged bar passes over is not asked for, and what it left is called off", async () => {
  const { asked, pages } = rig();
  pages.show(0, 40, 1_000_000);
  for (let row = 10_000; row <= 900_000; row += 10_000) pages.show(row, row + 40, 1_000_000);
  await settled();
  expect(asked.map((one) => one.offset)).toEqual([0, 1_000, 900_000, 901_000]);
  expect(asked.map((one) => one.signal.aborted)).toEqual([true, true, false, false]);
  asked[0]!.answer("late");
  await settled();
  expect(pages.page(0)).toBeUndefined();
});

test("no more than the bound is kept, and what is seen stays", async () => {
  const { asked, pages } = rig();
  for (let page = 0; page < 60; page += 1) {
    pages.show(page * PAGE, page * PAGE + 40, 60 * PAGE);
    await settled();
    while (asked.length > 0) asked.pop()!.answer(`page ${page}`);
    await settled();
  }
  expect(pages.kept).toBe(40);
  expect(pages.page(59 * PAGE)).toBeDefined();
  expect(pages.page(0)).toBeUndefined();
});

test("a renewed page is shown until its successor comes", async () => {
  const { asked, pages } = rig();
  pages.show(0, 40, 500);
  asked[0]!.answer("old");
  await settled();
  pages.renew();
  await settled();
  expect(asked).toHaveLength(2);
  expect(pages.page(0)).toBe("old");
  asked[1]!.answer("new");
  await settled();
  expect(pages.page(0)).toBe("new");
});

test("a refusal is told once and asked again only when rows are next shown", async () => {
  const { asked, failed, pages } = rig();
  pages.show(0, 40, 5_000);
  asked[0]!.refuse(new Error("busy"));
  await settled();
  expect(failed).toHaveLength(1);
  expect(asked).toHaveLength(2);
  pages.show(0, 40, 5_000);
  await settled();
  expect(asked.map((one) => one.offset)).toEqual([0, 1_000, 0]);
});
