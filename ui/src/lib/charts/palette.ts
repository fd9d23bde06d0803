// Colours of series: ten that are told apart, then again; the rest is "other".

export const SERIES = 10;

/** The token of the n-th series, counted from 0. */
export function seriesToken(index: number): string {
  return `--series-${(index % SERIES) + 1}`;
}

export const OTHER_TOKEN = "--series-other";
