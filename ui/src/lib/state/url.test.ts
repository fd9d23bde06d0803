import { expect, test } from "vitest";
import { address, format, read } from "./url";

test("a page's state survives a round through its address", () => {
  const params = { from: "-6h", filter: 'src_pod = "a&b=<c>"', by: "src_addr/24,dst_port", later: "kept" };
  const text = address("explore", params);
  const [path = "", search = ""] = text.split("?");
  expect(read(path, `?${search}`)).toEqual({ page: "explore", params });
});

test("addresses are readable and leave out what is empty", () => {
  expect(format({ by: "src_addr/24,proto", from: "-1h", to: "", filter: undefined })).toBe(
    "v=1&from=-1h&by=src_addr/24,proto",
  );
});

test("a link of a newer version keeps its range and says so", () => {
  expect(read("/explore", "?v=2&from=-1h&by=future(x)")).toEqual({ page: "explore", params: { from: "-1h" }, newer: 2 });
});

test("an unknown page is the overview", () => {
  expect(read("/nothing", "").page).toBe("overview");
});
