// The one menu that opens on any value: tables, legends and charts share it, so that a page with
// thousands of values has one panel.

import type { Value } from "../api/types";
import type { Span } from "../state/time";

export interface Picked {
  /** A column, perhaps with prefix lengths (`src_addr/24`). */
  column: string;
  value: Value;
  label: string;
  /** The time that the value belongs to, if it is narrower than the page's: a bucket, a record. */
  at?: Span;
  /** The other columns of the same row: "records behind it" means all of them. */
  also?: { column: string; value: Value }[];
}

class ValueMenuState {
  picked = $state.raw<Picked | undefined>();
  anchor = $state.raw<Element | undefined>();

  /** Opens at an element: a button, or a mark in a chart. */
  open(anchor: Element, picked: Picked): void {
    this.anchor = anchor;
    this.picked = picked;
  }
  close(): void {
    this.picked = undefined;
  }
}

export const valueMenu = new ValueMenuState();
