// The documents of /api/v1, as docs/api.md and openapi.json describe them.

/** A value of an answer. Integers above 2^53 come as text; null is "not told", never zero. */
export type Value = string | number | boolean | null | Value[];

export interface Column {
  name: string;
  type: string;
  unit: string;
  values: Value[];
}

export interface Stats {
  tier: string;
  from: string;
  to: string;
  segments: number;
  blocks: number;
  blocks_pruned: number;
  rows: number;
  rows_matched: number;
  rows_rate_unknown: number;
  blocks_damaged: number;
  notes: string[];
  ms: number;
}

export interface Answer {
  columns: Column[];
  other: Column[];
  total: Column[];
  stats: Stats;
}

export type Measure = string;
export type Compare = "previous" | "day" | "week";

export interface Query {
  table?: "flows" | "counters" | "options";
  from: string;
  to: string;
  filter?: string;
  group_by?: string[];
  measures?: Measure[];
  unscaled?: boolean;
  bucket?: string;
  limit?: number | null;
  order_by?: string;
  order?: "asc" | "desc";
  compare?: Compare;
  /** `split`: each octet for the end that sent it; `both` tells what each group received beside it. */
  directions?: "one" | "split" | "both";
  time?: "received_at" | "flow_end" | "flow_start" | "export_time";
}

export interface RecordsQuery {
  table?: "flows" | "counters" | "options";
  from: string;
  to: string;
  filter?: string;
  columns?: string[];
  limit?: number;
  cursor?: string;
  offset?: number;
  order_by?: string;
  order?: "asc" | "desc";
}

/** A page of records, column by column. */
export interface RecordsPage {
  columns: Column[];
  rows: number;
  next: string | null;
  stats: Stats;
}

/** One record as an object; columns without a value are left out. */
export type FlowRecord = { kind: string } & Record<string, Value>;

export interface ColumnDef {
  id: number;
  name: string;
  type: string;
  unit: string;
  group: string;
  role: string;
  stored: boolean;
  doc: string;
  elements: { pen: number; id: number }[];
  null_if?: "zero" | "empty" | "all_zero";
  names?: { value: number; name: string }[];
  flags?: boolean;
}

export interface TableDef {
  name: string;
  kind: string;
  columns: ColumnDef[];
}

export interface Token {
  offset: number;
  length: number;
  kind: string;
}

export interface ParsedFilter {
  formatted: string;
  tokens: Token[];
}

export interface CompletionItem {
  text: string;
  kind: string;
  detail?: string;
  count?: number;
}

export interface Completion {
  offset: number;
  length: number;
  items: CompletionItem[];
}

export interface Account {
  received: number;
  kept: number;
  in_flight: number;
  dropped: Record<string, number>;
}

export interface Exporter {
  addr: string;
  name?: string | null;
  protocol: string;
  domain: number;
  first_seen: string;
  last_seen: string;
  messages: number;
  records: number;
  octets: number;
  records_per_second: number;
  octets_per_second: number;
  templates: number;
  parked_sets: number;
  names: number;
  sampling: { sampler: number | null; rate: number }[];
  sequence: { missing: number; gaps: number; reordered: number; duplicates: number; restarts: number };
  clock_skew_ms: number;
  dropped: Record<string, number>;
}

export interface Concern {
  what: string;
  remedy: string;
  severity?: "warning" | "failing" | "info";
  since?: string | null;
  /** Of losses: when the last one was seen. */
  last_at?: string | null;
}

export interface Template {
  id: number;
  kind: "data" | "options";
  session: string;
  refreshed_at: string;
  /** `length` is null where each record says its own. */
  fields: { pen: number; id: number; name: string | null; length: number | null; scope: boolean }[];
}

export interface Templates {
  templates: Template[];
  left_out: number;
}

export interface StoreHealth {
  tiers: { table: string; tier: string; rows: number; segments: number; octets: number }[];
  octets: number;
  commit_lag_ms: number;
  fsync_ms: number;
  commits: number;
  commits_failed: number;
  unsynced_octets: number;
  shedding: string | null;
  rows_refused: [string, number][];
  rows_appended: number;
  quarantined: { file: string; reason: string; rows: number }[];
  damaged: { file: string; reason: string; rows: number }[];
  advice: string | null;
  disk_free: number;
  disk_total: number;
  segments_closing: number;
  compaction_backlog: number;
  compactions: number;
  compactions_failed: number;
  octets_per_day: number;
  days_until_full: number | null;
}

export interface Health {
  status: "ok" | "degraded" | "failing";
  concerns: Concern[];
  /** Losses that are over. */
  past?: Concern[];
  /** How far sums of a minute are behind the records. */
  rollup_lag_ms?: number | null;
  version: string;
  started_at: string;
  now: string;
  exporters: number;
  ledger: { messages: Account; sets: Account; records: Account };
  queue: { octets: number; octets_max: number };
  sockets: { transport: string; address: string; buffer_octets: number; kernel_dropped: number }[];
  connections: number;
  /** TLS and acknowledgements on them. */
  secure?: { tls: boolean; connections_tls: number; connections_acknowledged: number; certificate_expires: string | null };
  store: StoreHealth;
  meter: Meter;
}

/** Metering of the machine that Weir runs on. */
export interface Meter {
  enabled: boolean;
  addr: string | null;
  tiers: { name: string; runs: boolean; why_not: string | null; costs: string | null }[];
  flows: number;
  flows_max: number;
  evicted: number;
  owners: { found: number; nobody: number; hidden_processes: number };
  ledger: { flows: Account; counters: Account };
}

export interface Session {
  auth: "local" | "token" | "none";
  signed_in: boolean;
  name: string | null;
  version: string;
  demo: boolean;
}

export interface SavedView {
  id: string;
  name: string;
  page: string;
  state: string;
  created_at: string;
  updated_at: string;
}

export interface Dimension {
  name: string;
  rows: number;
  distinct: number;
}
