// What Explore asks for a state and a range, and what the answer is kept together with: labels and
// times are made from what was asked, not from newer choices. Pure.

import type { Answer, Query } from "../api/types";
import { absolute, bucketFor, type Span } from "../state/time";
import type { ExploreState } from "./state";

/** Groups of an answer for the sankey: its layers are folded to the top N each. */
const FLOWS_MAX = 400;
/** Below the server's limit of 100,000 rows (groups times buckets). */
const CELLS_MAX = 90_000;
const POINTS_MAX = 1500;

export interface Asked {
  state: ExploreState;
  span: Span;
  bucketMs: number;
  /** The range moved with now when it was asked. */
  live: boolean;
  query: Query;
}

export interface Told {
  answer: Answer;
  asked: Asked;
}

/** Seconds of a bucket: the chosen one while it gives no more points than can be answered. */
export function bucketSeconds(span: Span, n: number, chosen?: number): number {
  const points = Math.min(POINTS_MAX, Math.floor(CELLS_MAX / (n + 2)));
  const seconds = (span.to - span.from) / 1e3;
  return chosen !== undefined && seconds / chosen <= points ? chosen : bucketFor(span, Math.min(150, points));
}

export function ask(state: ExploreState, span: Span, filter: string, live = false): Asked {
  const isFlows = state.view === "sankey";
  const bucket = bucketSeconds(span, state.n, state.bucketS);
  const isCount = state.measure === "flows" || state.measure === "fps";
  const query: Query = {
    ...absolute(span),
    filter,
    group_by: state.by,
    // Records tell a gap from a zero, and how many stand behind a figure.
    measures: isCount ? [state.measure, ...(state.measure === "fps" ? ["flows"] : [])] : [state.measure, "flows"],
    limit: isFlows ? FLOWS_MAX : state.n,
    // Octets count for the end that sent them, also where one record carries both directions.
    directions: "split",
  };
  if (state.unscaled) query.unscaled = true;
  if (!isFlows) {
    query.bucket = `${bucket}s`;
    if (state.compare) query.compare = state.compare;
    if (state.both) query.directions = "both";
  }
  return { state, span, bucketMs: bucket * 1e3, live, query };
}

/** No record passed, nor was anything sent in answer to one: such octets stand in no record of their own. */
export function isEmpty(answer: Answer): boolean {
  const figures = answer.total.filter(({ name }) => name !== "time" && !name.startsWith("previous."));
  return figures.every(({ values }) => values.every((value) => Number(value ?? 0) === 0));
}

export const EARLIER = { previous: "the period before", day: "a day earlier", week: "a week earlier" } as const;
