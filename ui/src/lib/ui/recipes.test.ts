import { expect, test } from "vitest";
import { isLoopback, portsOf, recipes, target } from "./recipes";

const udp = (address: string) => ({ transport: "udp", address });

test("the usual port of each protocol is taken where it is open", () => {
  const ports = portsOf([udp("[::]:2055"), udp("[::]:4739"), udp("[::]:6343"), { transport: "tcp", address: "[::]:4739" }]);
  expect(ports).toEqual({ netflow: 2055, ipfix: 4739, sflow: 6343, tcp: 4739, all: [2055, 4739, 6343], loopbackOnly: false });
});

test("one unusual port serves every protocol, and loopback is noticed", () => {
  const ports = portsOf([udp("127.0.0.1:12055")]);
  expect(ports).toEqual({ netflow: 12055, ipfix: 12055, sflow: 12055, tcp: undefined, all: [12055], loopbackOnly: true });
});

test("without any socket there is nothing to promise", () => {
  expect(portsOf([])).toMatchObject({ netflow: undefined, all: [], loopbackOnly: false });
  expect(target("weir.example", undefined)).toBe("weir.example:PORT");
});

test("IPv6 addresses stand in brackets before a port and bare elsewhere", () => {
  const all = recipes("[2001:db8::1]", portsOf([udp("[::]:2055")]));
  const text = (id: string) => all.find((recipe) => recipe.id === id)!.blocks.map((block) => block.text).join("\n");
  expect(text("softflowd")).toContain("-n [2001:db8::1]:2055");
  expect(text("cisco")).toContain("destination 2001:db8::1\n");
  expect(text("hsflowd")).toContain("ip = 2001:db8::1 udpport = 2055");
});

test("Antrea uses TCP where it is open, UDP else", () => {
  const text = (sockets: { transport: string; address: string }[]) =>
    recipes("c", portsOf(sockets)).find((recipe) => recipe.id === "kubernetes")!.blocks[0]!.text;
  expect(text([udp("0.0.0.0:4739"), { transport: "tcp", address: "0.0.0.0:4739" }])).toContain("c:4739:tcp");
  expect(text([udp("0.0.0.0:4739")])).toContain("c:4739:udp");
});

test("loopback in all its spellings", () => {
  expect(["localhost", "127.77.0.1", "[::1]", "::1"].every(isLoopback)).toBe(true);
  expect(isLoopback("10.0.0.1")).toBe(false);
});
