// Asks Weir. Every question can be called off by its signal: the server then stops working on it.

import type {
  Answer, Completion, Dimension, Exporter, Health, ParsedFilter, Query, RecordsPage, RecordsQuery,
  SavedView, Session, TableDef, Templates,
} from "./types";

/** A refusal: the problem document (RFC 9457), or what went wrong on the way. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    readonly title: string,
    readonly detail: string,
    readonly field?: string,
    readonly offset?: number,
    readonly length?: number,
    readonly remedy?: string,
  ) {
    super(detail || title);
  }
  get isUnauthorized(): boolean {
    return this.status === 401;
  }
}

/** Called when the server asks for a sign-in; the shell shows the page for it. */
let onUnauthorized: () => void = () => {};
export function whenUnauthorized(act: () => void): void {
  onUnauthorized = act;
}

export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

async function refusal(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const body = JSON.parse(text);
    return new Problem(
      response.status, String(body.type ?? ""), String(body.title ?? response.statusText),
      String(body.detail ?? ""), body.field, body.offset, body.length, body.remedy,
    );
  } catch {
    return new Problem(response.status, "", response.statusText, text.slice(0, 300));
  }
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new Problem(
      0, "", "Weir does not answer", String((error as Error).message), undefined, undefined,
      undefined, "see that `weir serve` runs and that this machine reaches it",
    );
  }
  if (response.ok) return response;
  const problem = await refusal(response);
  if (problem.isUnauthorized && path !== "/api/v1/session") onUnauthorized();
  throw problem;
}

async function get<T>(path: string, parameters?: Record<string, string>, signal?: AbortSignal): Promise<T> {
  const query = parameters ? `?${new URLSearchParams(parameters)}` : "";
  return (await ask(path + query, { signal })).json();
}

async function send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { method, signal };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  const response = await ask(path, init);
  return response.status === 204 ? (undefined as T) : response.json();
}

export const api = {
  query: (query: Query, signal?: AbortSignal) => send<Answer>("POST", "/api/v1/query", query, signal),
  records: (query: RecordsQuery, signal?: AbortSignal) =>
    send<RecordsPage>("POST", "/api/v1/records", { ...query, format: "columns" }, signal),
  /** Records as they arrive; the body is a stream of server-sent events without an end. */
  tail: (filter: string, signal?: AbortSignal) =>
    ask(`/api/v1/tail${filter ? `?${new URLSearchParams({ filter })}` : ""}`, { signal }),
  schema: (signal?: AbortSignal) => get<{ tables: TableDef[] }>("/api/v1/schema", undefined, signal),
  dimensions: (signal?: AbortSignal) =>
    get<{ columns: Dimension[] }>("/api/v1/dimensions", undefined, signal),
  parse: (filter: string, signal?: AbortSignal) =>
    get<ParsedFilter>("/api/v1/filter/parse", { filter }, signal),
  complete: (filter: string, cursor: number, signal?: AbortSignal) =>
    get<Completion>("/api/v1/filter/complete", { filter, cursor: String(cursor) }, signal),
  exporters: (signal?: AbortSignal) =>
    get<{ exporters: Exporter[] }>("/api/v1/exporters", undefined, signal),
  templates: (addr: string, domain: number, signal?: AbortSignal) =>
    get<Templates>("/api/v1/exporters/templates", { addr, domain: String(domain) }, signal),
  health: (signal?: AbortSignal) => get<Health>("/api/v1/health", undefined, signal),
  session: (signal?: AbortSignal) => get<Session>("/api/v1/session", undefined, signal),
  signIn: (token: string) => send<void>("POST", "/api/v1/session", { token }),
  signOut: () => send<void>("DELETE", "/api/v1/session"),
  views: (signal?: AbortSignal) => get<{ views: SavedView[] }>("/api/v1/views", undefined, signal),
  saveView: (view: { name: string; page: string; state: string }) =>
    send<SavedView>("POST", "/api/v1/views", view),
  updateView: (id: string, view: { name: string; page: string; state: string }) =>
    send<SavedView>("PUT", `/api/v1/views/${encodeURIComponent(id)}`, view),
  deleteView: (id: string) => send<void>("DELETE", `/api/v1/views/${encodeURIComponent(id)}`),
};

/** Address of a streamed export, for a link with `download`. */
export function exportUrl(format: "csv" | "ndjson", query: RecordsQuery): string {
  const parameters = new URLSearchParams({ format, from: query.from, to: query.to });
  if (query.filter) parameters.set("filter", query.filter);
  if (query.columns?.length) parameters.set("columns", query.columns.join(","));
  if (query.order_by) parameters.set("order_by", query.order_by);
  if (query.order) parameters.set("order", query.order);
  return `/api/v1/records/export?${parameters}`;
}
