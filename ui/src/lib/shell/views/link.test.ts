import { expect, test } from "vitest";
import type { SavedView } from "../../api/types";
import { namesake, sorted, viewHref } from "./link";

const view = (name: string, id = name): SavedView => ({ id, name, page: "explore", state: "v=1", created_at: "", updated_at: "" });

test("a view leads to a page of this console and nowhere else", () => {
  expect(viewHref({ page: "explore", state: "v=1&by=proto" })).toBe("/explore?v=1&by=proto");
  expect(viewHref({ page: "/evil.example", state: "?v=1" })).toBe("/overview?v=1");
  expect(viewHref({ page: "sign-in", state: "" })).toBe("/overview?");
  expect(new URL(viewHref({ page: "//x", state: "//x@y\\#" }), "http://weir.test").origin).toBe("http://weir.test");
});

test("views stand in the order that people expect", () => {
  expect(sorted([view("site 10"), view("Site 9"), view("alpha")]).map((one) => one.name)).toEqual(["alpha", "Site 9", "site 10"]);
});

test("a name is taken whatever its case", () => {
  expect(namesake([view("Uplinks")], " uplinks ")?.id).toBe("Uplinks");
  expect(namesake([view("Uplinks")], "uplink")).toBeUndefined();
});
