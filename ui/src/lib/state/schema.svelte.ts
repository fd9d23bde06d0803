// The column table as the server tells it: names, units, enumerations, what may be grouped by.

import { api } from "../api/client";
import type { ColumnDef, Value } from "../api/types";

class Schema {
  flows = $state.raw<ColumnDef[]>([]);
  #byName = $derived(new Map(this.flows.map((column) => [column.name, column])));

  async load(): Promise<void> {
    const { tables } = await api.schema();
    this.flows = tables.find((table) => table.name === "flows")?.columns ?? [];
  }

  /** The definition of a column, prefix lengths (`src_addr/24`) left aside. */
  find(name: string): ColumnDef | undefined {
    return this.#byName.get(name.split("/")[0]!);
  }

  /** A value as people read it: `tcp (6)`, `ACK PSH`; null is a dash. */
  text(name: string, value: Value | undefined): string {
    if (value === null || value === undefined) return "–";
    const column = this.find(name);
    if (column?.names && (typeof value === "number" || typeof value === "string")) {
      return named(column, Number(value));
    }
    return Array.isArray(value) ? value.join(" ") : String(value);
  }
}

function named(column: ColumnDef, value: number): string {
  const names = column.names ?? [];
  if (!column.flags) return names.find((row) => row.value === value)?.name ?? String(value);
  const set = names.filter((row) => row.value !== 0 && (value & row.value) === row.value);
  return set.length > 0 ? set.map((row) => row.name).join(" ") : String(value);
}

export const schema = new Schema();
