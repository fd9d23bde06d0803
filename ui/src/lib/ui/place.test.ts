import { expect, test } from "vitest";
import { placed } from "./place";

const VIEW = { width: 400, height: 600 };
const button = (left: number, top: number) => ({ left, top, width: 80, height: 30 });

test("a panel opens below its button", () => {
  expect(placed(button(20, 100), { width: 200, height: 150 }, VIEW)).toEqual({ left: 20, top: 134, heightMax: 458 });
  expect(placed(button(300, 100), { width: 200, height: 150 }, VIEW, "end").left).toBe(180);
});

test("a panel never leaves the window", () => {
  expect(placed(button(350, 100), { width: 200, height: 150 }, VIEW).left).toBe(192);
  expect(placed(button(10, 100), { width: 200, height: 150 }, VIEW, "end").left).toBe(8);
});

test("without room below it opens above, cut to the room there", () => {
  expect(placed(button(20, 500), { width: 200, height: 300 }, VIEW)).toEqual({ left: 20, top: 196, heightMax: 488 });
  expect(placed(button(20, 500), { width: 200, height: 900 }, VIEW)).toEqual({ left: 20, top: 8, heightMax: 488 });
});
