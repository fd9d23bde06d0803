// Where a row stands in a scrolled table. Browsers draw nothing past some 15 to 33 million pixels,
// so beyond `HEIGHT_MAX` the table is only as high as that and the bar stands for more than it
// measures: dragging it reaches every row, while the wheel still moves by the pixels it tells.
//
// Rows are of one height, so that where a row stands is a product: nothing is kept per row, and a
// billion of them cost as much as ten. (Virtualisers that measure rows keep some 20 octets of each.)
//
// "Scroll" is what the browser counts, "virtual" is what a table of full height would count.

export const HEIGHT_MAX = 6_000_000;

/**
 * At both ends, scroll and virtual run alike for this far, so that the wheel meets the first and
 * the last row without a correction on the way.
 */
const EDGE = 60_000;

export interface Scale {
  rows: number;
  rowHeight: number;
  /** Height of what is seen of the rows. */
  viewport: number;
}

export interface Position {
  scroll: number;
  virtual: number;
}

export interface Seen {
  /** The first row that is drawn. */
  first: number;
  /** One past the last row that is drawn. */
  end: number;
  /** Where the first drawn row begins below the upper edge of what is seen; mostly above it. */
  top: number;
}

/** Height of the scrolled content. */
export function height(scale: Scale): number {
  return Math.min(scale.rows * scale.rowHeight, HEIGHT_MAX);
}

function most(scale: Scale): Position {
  return {
    scroll: Math.max(0, height(scale) - scale.viewport),
    virtual: Math.max(0, scale.rows * scale.rowHeight - scale.viewport),
  };
}

function within(value: number, max: number): number {
  return Math.min(Math.max(value, 0), max);
}

/** Steady, rising, and it reaches both ends. */
export function toVirtual(scale: Scale, scroll: number): number {
  const max = most(scale);
  const at = within(scroll, max.scroll);
  if (max.virtual <= max.scroll || at <= EDGE) return Math.min(at, max.virtual);
  if (at >= max.scroll - EDGE) return max.virtual - (max.scroll - at);
  return EDGE + ((at - EDGE) * (max.virtual - 2 * EDGE)) / (max.scroll - 2 * EDGE);
}

/** The other way round of [`toVirtual`]. */
export function toScroll(scale: Scale, virtual: number): number {
  const max = most(scale);
  const at = within(virtual, max.virtual);
  if (max.virtual <= max.scroll || at <= EDGE) return at;
  if (at >= max.virtual - EDGE) return max.scroll - (max.virtual - at);
  return EDGE + ((at - EDGE) * (max.scroll - 2 * EDGE)) / (max.virtual - 2 * EDGE);
}

/** The position of a virtual offset, with both counts in step. */
export function placed(scale: Scale, virtual: number): Position {
  const at = within(virtual, most(scale).virtual);
  return { scroll: toScroll(scale, at), virtual: at };
}

/**
 * What a scroll event means. A short way is the wheel, a finger or an arrow: it moves by so many
 * pixels. A long way is the bar: it moves by its share of the whole.
 */
export function moved(scale: Scale, from: Position, scroll: number): Position {
  const delta = scroll - from.scroll;
  if (Math.abs(delta) > 3 * scale.viewport) return { scroll, virtual: toVirtual(scale, scroll) };
  return { scroll, virtual: within(from.virtual + delta, most(scale).virtual) };
}

/** True when the wheel ran the two counts so far apart that the end of the bar is near. */
export function isCramped(scale: Scale, at: Position): boolean {
  const max = most(scale).scroll;
  const near = at.scroll < 2 * scale.viewport || at.scroll > max - 2 * scale.viewport;
  return near && !isInStep(scale, at);
}

export function isInStep(scale: Scale, at: Position): boolean {
  return Math.abs(toScroll(scale, at.virtual) - at.scroll) < 1;
}

/** The rows to draw, with some more on both sides. */
export function seen(scale: Scale, at: Position, overscan: number): Seen {
  const first = Math.max(0, Math.floor(at.virtual / scale.rowHeight) - overscan);
  const last = Math.ceil((at.virtual + scale.viewport) / scale.rowHeight) + overscan;
  return {
    first: Math.min(first, scale.rows),
    end: Math.min(last, scale.rows),
    top: first * scale.rowHeight - at.virtual,
  };
}

/** The virtual offset that shows a row whole with the least movement. */
export function revealing(scale: Scale, virtual: number, row: number): number {
  const top = row * scale.rowHeight;
  if (top < virtual) return top;
  const bottom = top + scale.rowHeight;
  return bottom > virtual + scale.viewport ? bottom - scale.viewport : virtual;
}
