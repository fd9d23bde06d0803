import { expect, test } from "vitest";
import { best, fit } from "./match";

test("beginnings count more than middles, middles more than scattered letters", () => {
  const rank = (text: string) => fit("port", text, true) ?? -1;
  expect(rank("port")).toBeGreaterThan(rank("dst_port"));
  expect(rank("dst_port")).toBeGreaterThan(rank("exporter"));
  expect(rank("exporter")).toBeGreaterThan(rank("p o r t"));
  expect(fit("port", "proto", true)).toBeUndefined();
  expect(fit("port", "p o r t")).toBeUndefined();
});

test("all words must be found, in any order", () => {
  const all = [{ label: "Group by src_port" }, { label: "Group by dst_addr" }, { label: "Explore", more: "page" }];
  expect(best("port group", all, 9).map((one) => one.label)).toEqual(["Group by src_port"]);
  expect(best("page", all, 9).map((one) => one.label)).toEqual(["Explore"]);
  expect(best("gbdp", [...all, { label: "Group by dst_port" }], 1)[0]?.label).toBe("Group by dst_port");
  expect(best(" ", all, 2)).toEqual(all.slice(0, 2));
});
