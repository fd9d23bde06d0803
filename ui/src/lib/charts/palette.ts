// Colours of series: ten that are told apart, then again; the rest is "other".

export const SERIES = 10;

/** The token of the n-th series, counted from 0. */
export function seriesToken(index: number): string {
  return `--series-${(index % SERIES) + 1}`;
}

export const OTHER_TOKEN = "--series-other";

/** Red, green, blue of `#rgb` or `#rrggbb`; undefined for any other notation. */
function channels(colour: string): [number, number, number] | undefined {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(colour.trim());
  const hex = short ? `#${short[1]!.repeat(2)}${short[2]!.repeat(2)}${short[3]!.repeat(2)}` : colour.trim();
  const found = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(hex);
  return found ? [parseInt(found[1]!, 16), parseInt(found[2]!, 16), parseInt(found[3]!, 16)] : undefined;
}

/** A colour between two, 0 the first, 1 the second; opaque, so that stacks can cover each other. */
export function mix(first: string, second: string, share: number): string {
  const [a, b] = [channels(first), channels(second)];
  if (!a || !b) return share < 0.5 ? first : second;
  const part = a.map((value, i) => Math.round(value + (b[i]! - value) * share));
  return `#${part.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
