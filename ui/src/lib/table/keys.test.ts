import { expect, test } from "vitest";
import { keyed } from "./keys";

const size = { rows: 1_000_000, columns: 5, page: 20 };
const press = (key: string, more: Partial<KeyboardEvent> = {}) =>
  ({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...more }) as KeyboardEvent;

test("arrows move one cell and stop at the edges", () => {
  expect(keyed(press("ArrowDown"), { row: 3, column: 1 }, size)).toEqual({ to: { row: 4, column: 1 } });
  expect(keyed(press("ArrowDown"), { row: 999_999, column: 1 }, size)).toEqual({ to: { row: 999_999, column: 1 } });
  expect(keyed(press("ArrowRight"), { row: 3, column: 4 }, size)).toEqual({ to: { row: 3, column: 4 } });
});

test("the head is above the first row, but not for a whole page up", () => {
  expect(keyed(press("ArrowUp"), { row: 0, column: 1 }, size)).toEqual({ to: { row: -1, column: 1 } });
  expect(keyed(press("ArrowUp"), { row: -1, column: 1 }, size)).toEqual({ to: { row: -1, column: 1 } });
  expect(keyed(press("PageUp"), { row: 5, column: 1 }, size)).toEqual({ to: { row: 0, column: 1 } });
});

test("home and end are of the row, with control of the table", () => {
  expect(keyed(press("End"), { row: 5, column: 1 }, size)).toEqual({ to: { row: 5, column: 4 } });
  expect(keyed(press("End", { ctrlKey: true }), { row: 5, column: 1 }, size)).toEqual({ to: { row: 999_999, column: 4 } });
  expect(keyed(press("Home", { ctrlKey: true }), { row: 5, column: 1 }, size)).toEqual({ to: { row: 0, column: 0 } });
});

test("enter opens a row and sorts on the head", () => {
  expect(keyed(press("Enter"), { row: 5, column: 1 }, size)).toEqual({ is: "open" });
  expect(keyed(press("Enter"), { row: -1, column: 1 }, size)).toEqual({ is: "sort" });
});

test("on the head columns are moved and drawn wider", () => {
  expect(keyed(press("ArrowRight", { altKey: true }), { row: -1, column: 1 }, size)).toEqual({ is: "move", by: 1 });
  expect(keyed(press("ArrowLeft", { shiftKey: true }), { row: -1, column: 1 }, size)).toEqual({ is: "wider", by: -16 });
});

test("other keys stay the browser's", () => {
  expect(keyed(press("Tab"), { row: 5, column: 1 }, size)).toBeUndefined();
  expect(keyed(press("ArrowLeft", { altKey: true }), { row: 5, column: 1 }, size)).toBeUndefined();
});
