import { expect, test } from "vitest";
import { HEIGHT_MAX, height, isCramped, isInStep, moved, placed, revealing, type Scale, seen, toScroll, toVirtual } from "./scale";

const small: Scale = { rows: 1000, rowHeight: 30, viewport: 600 };
const large: Scale = { rows: 50_000_000, rowHeight: 30, viewport: 600 };
const END = large.rows * large.rowHeight - large.viewport;

test("a table that fits is scrolled as it is", () => {
  expect(height(small)).toBe(30_000);
  expect(toVirtual(small, 12_345)).toBe(12_345);
  expect(seen(small, placed(small, 300), 2)).toEqual({ first: 8, end: 32, top: -60 });
});

test("a large one is no higher than browsers draw, and both ends are reached", () => {
  expect(height(large)).toBe(HEIGHT_MAX);
  expect(toVirtual(large, 0)).toBe(0);
  expect(toVirtual(large, HEIGHT_MAX - 600)).toBe(END);
  expect(seen(large, placed(large, END), 0).end).toBe(large.rows);
});

test("the two counts are each other's inverse and never run backward", () => {
  let before = -1;
  for (let scroll = 0; scroll <= HEIGHT_MAX - 600; scroll += 9_973) {
    const virtual = toVirtual(large, scroll);
    expect(virtual).toBeGreaterThan(before);
    expect(toScroll(large, virtual)).toBeCloseTo(scroll, 3);
    before = virtual;
  }
});

test("the wheel moves by its pixels, the bar by its share", () => {
  const middle = placed(large, 700_000_000);
  expect(moved(large, middle, middle.scroll + 120).virtual).toBe(700_000_120);
  const dragged = moved(large, middle, middle.scroll + 100_000);
  expect(dragged.virtual).toBeCloseTo(toVirtual(large, middle.scroll + 100_000), 6);
  expect(dragged.virtual - middle.virtual).toBeGreaterThan(20_000_000);
});

test("rows move on the screen by what the wheel tells", () => {
  const middle = placed(large, 700_000_010);
  const on = moved(large, middle, middle.scroll + 100);
  const [a, b] = [seen(large, middle, 4), seen(large, on, 4)];
  expect(a.top - b.top).toBeCloseTo(100 - (b.first - a.first) * 30, 6);
});

test("from the middle the wheel reaches both ends, with corrections on the way", () => {
  for (const direction of [-1, 1]) {
    const start = direction < 0 ? 400_000 : END - 400_000;
    let at = placed(large, start);
    let steps = 0;
    while (at.virtual > 0 && at.virtual < END) {
      at = moved(large, at, Math.min(Math.max(at.scroll + direction * 500, 0), HEIGHT_MAX - 600));
      if (isCramped(large, at)) at = placed(large, at.virtual);
      expect(++steps).toBeLessThan(1_000);
    }
    expect(at.virtual).toBe(direction < 0 ? 0 : END);
  }
});

test("a correction does not move what is seen", () => {
  const drifted = moved(large, placed(large, 700_000_000), placed(large, 700_000_000).scroll + 1_500);
  expect(isInStep(large, drifted)).toBe(false);
  const corrected = placed(large, drifted.virtual);
  expect(corrected.virtual).toBe(drifted.virtual);
  expect(seen(large, corrected, 0).first).toBe(seen(large, drifted, 0).first);
});

test("no rows, and fewer rows than fit", () => {
  const none = { ...small, rows: 0 };
  expect(seen(none, placed(none, 0), 8)).toEqual({ first: 0, end: 0, top: 0 });
  const few = { ...small, rows: 3 };
  expect(seen(few, placed(few, 500), 8)).toEqual({ first: 0, end: 3, top: 0 });
});

test("a row is shown with the least movement", () => {
  expect(revealing(small, 300, 5)).toBe(150);
  expect(revealing(small, 300, 12)).toBe(300);
  expect(revealing(small, 300, 40)).toBe(630);
});
