// How wide each column was drawn; kept in this browser only.

import type { ColumnDef } from "../api/types";
import { clampWidth, readWidths, usualWidth } from "./columns";

const KEY = "weir.records.widths";

export class Widths {
  #drawn = $state.raw<Record<string, number>>({});

  constructor(defs: ColumnDef[]) {
    try {
      this.#drawn = readWidths(window.localStorage.getItem(KEY), defs);
    } catch {
      // Storage may be switched off; widths then last as long as the page.
    }
  }

  of(def: ColumnDef): number {
    return this.#drawn[def.name] ?? usualWidth(def);
  }

  /** Without a width: back to the usual one. */
  set(name: string, width: number | undefined): void {
    const { [name]: _, ...rest } = this.#drawn;
    this.#drawn = width === undefined ? rest : { ...rest, [name]: clampWidth(width) };
    try {
      window.localStorage.setItem(KEY, JSON.stringify(this.#drawn));
    } catch {
      // See above.
    }
  }
}
