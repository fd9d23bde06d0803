// By which other columns a value is worth being divided.

const USUAL = [
  "src_addr", "dst_addr", "dst_port", "proto", "exporter_addr", "in_if", "src_namespace", "src_as",
];
const SPLITS_MAX = 5;

/** The other side of a column first, then what people usually ask for; only columns that exist. */
export function splits(column: string, exists: (name: string) => boolean): string[] {
  const name = column.split("/")[0]!;
  const other = name.startsWith("src_") ? `dst_${name.slice(4)}` : name.startsWith("dst_") ? `src_${name.slice(4)}` : "";
  const wanted = new Set([other, ...USUAL]);
  return [...wanted].filter((next) => next !== name && next !== "" && exists(next)).slice(0, SPLITS_MAX);
}
