import { expect, test } from "vitest";
import { commandOf } from "./keys";

const press = (key: string, held: Partial<Record<"ctrlKey" | "metaKey" | "altKey" | "altGraph", boolean>> = {}) => ({
  key, ctrlKey: false, metaKey: false, altKey: false, altGraph: false, ...held,
});

test("letters are commands only outside of fields, and never with Ctrl", () => {
  expect(commandOf(press("t"), false, true, false)).toEqual({ does: "time" });
  expect(commandOf(press("t"), true, true, false)).toBeUndefined();
  expect(commandOf(press("r", { ctrlKey: true }), false, true, false)).toBeUndefined();
  expect(commandOf(press("p", { metaKey: true }), false, true, false)).toBeUndefined();
});

test("the palette opens even while typing", () => {
  expect(commandOf(press("k", { ctrlKey: true }), true, true, false)).toEqual({ does: "palette" });
  expect(commandOf(press("K", { metaKey: true }), true, false, false)).toEqual({ does: "palette" });
  expect(commandOf(press("k"), false, true, false)).toBeUndefined();
});

test("g and a letter open a page; another letter does nothing", () => {
  expect(commandOf(press("g"), false, true, false)).toEqual({ does: "prefix" });
  expect(commandOf(press("r"), false, true, true)).toEqual({ does: "open", page: "records" });
  expect(commandOf(press("t"), false, true, true)).toBeUndefined();
});

test("brackets that need AltGr are brackets", () => {
  expect(commandOf(press("[", { ctrlKey: true, altKey: true, altGraph: true }), false, true, false)).toEqual({ does: "back" });
  expect(commandOf(press("[", { altKey: true }), false, true, false)).toBeUndefined();
});

test("plain letters can be switched off", () => {
  expect(commandOf(press("/"), false, false, false)).toBeUndefined();
});
