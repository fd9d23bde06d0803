/// <reference types="node" />
// A real `weir serve` in a folder of its own, on free loopback ports, and what is asked of it.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const BIN = process.env.WEIR_BIN ?? "weir";
const CORPUS = resolve(import.meta.dirname, "../../../crates/weir-wire/tests/fixtures/corpus");

/** Waits until `ask` gives something; the last failure tells why it never did. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>, withinMs = 60_000): Promise<T> {
  const end = Date.now() + withinMs;
  let why: unknown;
  while (Date.now() < end) {
    try {
      const found = await ask();
      if (found !== undefined && found !== false) return found;
      why = undefined;
    } catch (error) {
      why = error;
    }
    await new Promise((go) => setTimeout(go, 50));
  }
  throw new Error(`never came: ${what}${why ? ` (${String(why)})` : ""}`);
}

function freeTcp(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => found(port));
    });
  });
}

function freeUdp(): Promise<number> {
  return new Promise((found, failed) => {
    const socket = createSocket("udp4");
    socket.once("error", failed);
    socket.bind(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => found(port));
    });
  });
}

export class Weir {
  log = "";
  /** The token that the first start shows, where it asks for one. */
  token: string | undefined;

  private constructor(
    readonly url: string,
    readonly port: number,
    readonly udp: number,
    readonly folder: string,
    private readonly process: ChildProcess,
  ) {
    const read = (octets: Buffer) => {
      this.log += String(octets);
      this.token ??= /\bweir_[A-Za-z0-9_-]{20,}/.exec(this.log)?.[0];
    };
    process.stdout?.on("data", read);
    process.stderr?.on("data", read);
  }

  /** `host` beyond loopback makes it ask for a token. */
  static async start({ host = "127.0.0.1", more = [] as string[] } = {}): Promise<Weir> {
    const [port, udp] = [await freeTcp(), await freeUdp()];
    const folder = mkdtempSync(join(tmpdir(), "weir-console-"));
    // This machine is not metered: its connections would be among the records that tests count.
    const args = ["serve", "--data", folder, "--http", `${host}:${port}`, "--listen", `udp:127.0.0.1:${udp}`,
      "--set", "meter.enabled=false", ...more];
    const child = spawn(BIN, args, { stdio: ["ignore", "pipe", "pipe"] });
    const weir = new Weir(`http://127.0.0.1:${port}`, port, udp, folder, child);
    try {
      await until("readiness", async () => {
        if (child.exitCode !== null) throw new Error(weir.log);
        return (await fetch(`${weir.url}/readyz`)).ok;
      });
    } catch (error) {
      await weir.stop();
      throw error;
    }
    return weir;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null) {
      const ended = new Promise((go) => this.process.once("exit", go));
      this.process.kill("SIGTERM");
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async get<T>(path: string): Promise<T> {
    return this.#ask(path, {});
  }
  async post<T>(path: string, body: unknown): Promise<T> {
    return this.#ask(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  }
  async #ask<T>(path: string, init: RequestInit): Promise<T> {
    const headers = { ...init.headers, ...(this.token ? { authorization: `Bearer ${this.token}` } : {}) };
    const response = await fetch(this.url + path, { ...init, headers });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Sends the exports of a capture of the corpus, as if they came now. */
  async replay(capture: string): Promise<void> {
    const args = ["replay", join(CORPUS, capture), "--to", `127.0.0.1:${this.udp}`, "--retime", "--speed", "50"];
    await promisify(execFile)(BIN, args);
  }

  async send(...datagrams: Buffer[]): Promise<void> {
    const socket = createSocket("udp4");
    for (const octets of datagrams) {
      await new Promise<void>((sent, failed) =>
        socket.send(octets, this.udp, "127.0.0.1", (error) => (error ? failed(error) : sent())),
      );
    }
    socket.close();
  }

  /** Records that can be asked for; counted by a query, so that what is seen here is seen by all. */
  async rows(filter = ""): Promise<number> {
    const answer = await this.post<Answer>("/api/v1/query", { from: "-1h", filter, group_by: [], measures: ["flows"] });
    return Number(figure(answer.total, "flows"));
  }
  async whenRows(count: number, filter = ""): Promise<void> {
    let last = 0;
    try {
      await until("records", async () => (last = await this.rows(filter)) >= count);
    } catch (error) {
      throw new Error(`${String(error)}: ${last} of ${count} records`);
    }
  }
}

export interface Column {
  name: string;
  values: unknown[];
}
export interface Answer {
  columns: Column[];
  other: Column[];
  total: Column[];
  stats: { rows: number };
}

export function figure(columns: Column[], name: string, row = 0): unknown {
  return columns.find((column) => column.name === name)?.values[row] ?? 0;
}
