// Figures of health as sentences. Pure; `now` is always given.

import type { Account, Exporter, StoreHealth } from "../api/types";

/** `3 days 4 h`, `12 min`: two units at most. */
export function lasting(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1e3));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 || days >= 10 ? `${days} days` : `${days} days ${hours % 24} h`;
}

/** When the disk will be full, as far as that can be told. */
export function forecast(store: Pick<StoreHealth, "days_until_full" | "octets_per_day" | "shedding">): string {
  if (store.shedding) return "The store takes no rows now";
  if (store.octets_per_day <= 0) return "Nothing to go by yet: the rate of growth is known after some minutes";
  const days = store.days_until_full;
  if (days === null) return "Retention keeps it from filling at this rate";
  if (days < 1) return `Full in ${Math.max(1, Math.round(days * 24))} h at this rate`;
  if (days < 2) return "Full in 1 day at this rate";
  if (days < 1_000) return `Full in ${Math.floor(days)} days at this rate`;
  return `Not full for ${Math.floor(days / 365)} years at this rate`;
}

export type Level = "good" | "warn" | "bad";

export function forecastLevel(store: Pick<StoreHealth, "days_until_full" | "shedding" | "advice">): Level {
  if (store.shedding || (store.days_until_full !== null && store.days_until_full < 1)) return "bad";
  return store.advice || (store.days_until_full !== null && store.days_until_full < 7) ? "warn" : "good";
}

export interface Balance {
  dropped: number;
  /** What is received beyond what is accounted for; 0 when the books balance. */
  difference: number;
}

export function balance(account: Account): Balance {
  const dropped = Object.values(account.dropped).reduce((sum, count) => sum + Number(count), 0);
  const accounted = Number(account.kept) + Number(account.in_flight) + dropped;
  return { dropped, difference: Number(account.received) - accounted };
}

/** Clocks further apart than this are worth a word. */
export const SKEW_MAX_MS = 5_000;

/** `0.4 s ahead`; below a second nobody can tell network from clock. */
export function skewText(ms: number): string {
  const size = Math.abs(ms);
  if (size < 1_000) return "in step";
  const text = size < 120_000 ? `${(size / 1e3).toFixed(1)} s` : lasting(size);
  return `${text} ${ms > 0 ? "ahead" : "behind"}`;
}

/** What the exporter's sequence numbers count. */
export function numberedUnit(protocol: string): "records" | "messages" {
  return /^(netflow5|netflow7|ipfix)$/.test(protocol) ? "records" : "messages";
}

/** A share of loss: the smallest is still told from none. */
export function lossText(missing: number, share: number): string {
  if (missing === 0) return "0";
  return share < 0.0001 ? "<0.01 %" : `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}

/** Shares above this are marked: one in a thousand. */
export const LOSS_MAX = 0.001;

const PROTOCOLS: Record<string, string> = {
  netflow5: "NetFlow v5", netflow7: "NetFlow v7", netflow9: "NetFlow v9", ipfix: "IPFIX", sflow5: "sFlow v5", local: "This machine",
};

export function protocolText(protocol: string): string {
  return PROTOCOLS[protocol] ?? protocol;
}

export function samplingText(sampling: Exporter["sampling"]): string {
  if (sampling.length === 0) return "–";
  const rates = [...new Set(sampling.map((one) => one.rate))].sort((a, b) => a - b);
  const words = rates.slice(0, 2).map((rate) => (rate === 1 ? "all" : `1 in ${rate}`));
  return rates.length > 2 ? `${words.join(", ")} and ${rates.length - 2} more` : words.join(", ");
}
