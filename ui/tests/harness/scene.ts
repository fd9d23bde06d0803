/// <reference types="node" />
// A Weir with the traffic of the corpus in it and a browser, for the tests that look at pages.

import type { Browser } from "playwright-core";
import { launch } from "./browser";
import { EXACT, OTHERS } from "./truth";
import { Weir } from "./weir";

export interface Scene {
  weir: Weir;
  browser: Browser;
  /** Absolute, whole minutes; all records lie inside, so that nothing refreshes or moves. */
  from: string;
  to: string;
  /** `from`, `to` and `refresh=0`, for an address. */
  range: string;
  end(): Promise<void>;
}

export async function scene(): Promise<Scene> {
  const [weir, browser] = await Promise.all([Weir.start(), launch()]);
  const started = Math.floor(Date.now() / 60e3) * 60e3 - 60e3;
  await weir.replay(EXACT.capture);
  for (const capture of OTHERS) await weir.replay(capture);
  await weir.whenRows(EXACT.records, EXACT.filter);
  await weir.whenRows(1, "export_protocol = netflow5");
  await weir.whenRows(1, "export_protocol = ipfix");
  const from = new Date(started).toISOString();
  const to = new Date(Math.ceil(Date.now() / 60e3) * 60e3).toISOString();
  const range = `v=1&from=${from}&to=${to}&refresh=0`;
  const end = async () => {
    await browser.close();
    await weir.stop();
  };
  return { weir, browser, from, to, range, end };
}
