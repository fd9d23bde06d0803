// The groups of an answer as rows of a table: figures, shares, and their order.

import type { Chart, Group } from "../charts/answer";
import { isRate } from "../charts/answer";
import { measureText, percent } from "../format/units";
import type { Twin } from "../charts/twin";

export interface Figure {
  /** Name in the address, when the table is sorted by it. */
  key: string;
  label: string;
  title: string;
  of: (group: Group) => number | null;
  isShare?: boolean;
}

/** What there is to say about each group of a chart. */
export function figuresOf(chart: Chart, measure: string, earlier?: string): Figure[] {
  const whole = chart.total.statistics.whole;
  const rate = isRate(measure);
  const figures: Figure[] = [
    { key: "share", label: "share", title: "Of all that passed the filter", isShare: true, of: (group) => (whole > 0 ? group.statistics.whole / whole : null) },
  ];
  if (!rate) figures.push({ key: "sum", label: "sum", title: "Over the whole range", of: (group) => group.statistics.whole });
  figures.push(
    { key: "avg", label: "avg", title: rate ? "Mean over the whole range, gaps included" : "Mean of the whole buckets", of: (group) => (rate ? group.statistics.whole : group.statistics.avg) },
    { key: "min", label: "min", title: "Lowest bucket", of: (group) => group.statistics.min },
    { key: "max", label: "max", title: "Highest bucket", of: (group) => group.statistics.max },
    { key: "last", label: "last", title: "Last whole bucket", of: (group) => group.statistics.last },
    { key: "p95", label: "p95", title: "95 % of the buckets are not above", of: (group) => group.statistics.p95 },
  );
  if (chart.total.backwardWhole !== undefined) {
    figures.push({ key: "reverse", label: "reverse", title: "The other direction, over the whole range", of: (group) => group.backwardWhole ?? null });
  }
  if (chart.total.previousWhole !== undefined) {
    figures.push({ key: "earlier", label: "earlier", title: earlier ?? "An earlier period", of: (group) => group.previousWhole ?? null });
    figures.push({
      key: "change", label: "change", title: "Against the earlier period", isShare: true,
      of: (group) => (group.previousWhole ? group.statistics.whole / group.previousWhole - 1 : null),
    });
  }
  return figures;
}

export function figureText(figure: Figure, value: number | null, measure: string): string {
  if (value === null) return "–";
  if (figure.key === "change" && Math.abs(value) < 0.001) return "±0 %";
  if (figure.key === "change") return `${value > 0 ? "+" : value < 0 ? "−" : ""}${percent(Math.abs(value), 1)}`;
  return figure.isShare ? percent(value, 1) : measureText(measure, value);
}

/** Sorted by `order`: the key of a figure or a group column, `-` in front for descending. */
export function sorted(groups: Group[], by: string[], figures: Figure[], order: string): Group[] {
  const descending = order.startsWith("-");
  const key = order.replace(/^-/, "");
  const figure = figures.find((one) => one.key === key);
  const column = by.indexOf(key);
  if (!figure && column < 0) return groups;
  const value = (group: Group) => (figure ? figure.of(group) : (group.group?.[column] ?? null));
  const sign = descending ? -1 : 1;
  return [...groups].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    // What is not known comes last, whichever way.
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    if (typeof left === "number" && typeof right === "number") return sign * (left - right);
    return sign * String(left).localeCompare(String(right), "en", { numeric: true });
  });
}

/** The next order when a heading is chosen: figures begin with the largest, names with the first. */
export function nextOrder(order: string, key: string, isFigure: boolean): string {
  const [first, second] = isFigure ? [`-${key}`, key] : [key, `-${key}`];
  return order === first ? second : order === second ? "" : first;
}

/** The table for CSV, with `other` and the total. */
export function rowsTwin(chart: Chart, groups: Group[], by: string[], figures: Figure[], text: (column: string, value: never) => string): Twin {
  const name = (group: Group) =>
    group.group ? group.group.map((value, i) => (value === null ? null : text(by[i]!, value as never))) : by.map((_, i) => (i === 0 ? group.label : null));
  const all = [...groups, ...(chart.other ? [chart.other] : []), chart.total];
  const labels = by.length > 0 ? by : ["group"];
  return {
    columns: [...labels.map((label) => ({ label })), ...figures.map((figure) => ({ label: figure.label, numeric: true }))],
    rows: all.map((group) => [...(by.length > 0 ? name(group) : [group.label]), ...figures.map((figure) => figure.of(group))]),
  };
}
