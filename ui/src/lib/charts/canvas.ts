// uPlot dressed in the console's tokens. It draws what `plotOf` planned and knows nothing else;
// all that can change without a rebuild is read through `look`.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { zoneName } from "../format/moment";
import { mix } from "./palette";
import { paintStacks } from "./paint";
import { type Layer, type Mode, type Plot, STEPS_S, tickText, timeTexts } from "./plot";

/** What the canvas shows at the moment; the chart writes it, uPlot's callbacks read it. */
export interface Look {
  plot: Plot;
  mode: Mode;
  measure: string;
  zone: string;
  from: number;
  to: number;
  /** The key that stands out, if one does. */
  focus?: string;
  colour: (token: string) => string;
}

export interface Events {
  onmove: (index: number | undefined) => void;
  onselect: (from: number, to: number) => void;
}

const AXIS_FONT = '12px system-ui, "Segoe UI", Roboto, sans-serif';
const AXIS_WIDTH = 84;
const NARROW = 480;

const linear = uPlot.paths.linear!();

/** What must be built anew for: the number and kind of the layers. */
export function shapeOf(plot: Plot): string {
  return plot.layers.map((layer) => `${layer.kind}${layer.series.ghost ? "g" : ""}`).join();
}

export function dataOf(times: number[], bucketMs: number, plot: Plot): uPlot.AlignedData {
  // A figure of a bucket stands in its middle.
  return [times.map((at) => at + bucketMs / 2), ...plot.layers.map((layer) => layer.edge)];
}

/** Points that no line reaches, because both neighbours are gaps. */
export function lonely(edge: (number | null)[]): number[] {
  const found: number[] = [];
  edge.forEach((value, i) => {
    if (value !== null && (edge[i - 1] ?? null) === null && (edge[i + 1] ?? null) === null) found.push(i);
  });
  return found;
}

function colourOf(look: Look, layer: Layer | undefined): string {
  const surface = look.colour("--surface");
  const colour = look.colour(layer?.series.token ?? "--ink-2");
  const dimmed = look.focus !== undefined && layer?.series.key !== look.focus;
  return dimmed ? mix(colour, surface, 0.78) : colour;
}

function lineOf(look: Look, index: number): uPlot.Series {
  const layer = () => look.plot.layers[index];
  const { kind, series } = look.plot.layers[index]!;
  const stroke = () => colourOf(look, layer());
  return {
    stroke,
    width: 1.75,
    dash: series.ghost ? [5, 4] : undefined,
    // Stacks are painted apart; here they only have their place in the data.
    paths: kind === "line" ? linear : () => null,
    points: {
      show: () => false,
      filter: () => {
        const found = kind === "line" ? lonely(layer()?.edge ?? []) : [];
        return found.length > 0 ? found : null;
      },
      size: 4,
      stroke,
      fill: stroke,
    },
  };
}

function axesOf(look: Look, narrow: boolean): uPlot.Axis[] {
  const ink = () => look.colour("--ink-2");
  const line = () => look.colour("--line");
  const common = { stroke: ink, font: AXIS_FONT, ticks: { stroke: line, size: 4, width: 1 } };
  return [
    {
      ...common,
      grid: { show: false },
      space: narrow ? 64 : 84,
      size: 30,
      incrs: STEPS_S.map((seconds) => seconds * 1e3),
      values: (_, splits, __, ___, step) => timeTexts(splits, step, look.zone),
    },
    {
      ...common,
      ticks: { show: false },
      grid: { stroke: line, width: 1 },
      size: narrow ? 70 : AXIS_WIDTH,
      gap: 8,
      space: 36,
      values: (_, splits) => splits.map((value) => tickText(look.measure, value, look.mode)),
    },
  ];
}

/** Bands and bars, over the grid and under the lines. */
function stacks(look: Look): (u: uPlot) => void {
  const stroke = (layer: Layer) => colourOf(look, layer);
  const fill = (layer: Layer) => mix(stroke(layer), look.colour("--surface"), layer.kind === "bar" ? 0.12 : 0.3);
  return (u) => paintStacks(u, look.plot, u.data[0]!.length, { stroke, fill });
}

/** The baseline between both directions is drawn over the bands. */
function baseline(look: Look): (u: uPlot) => void {
  return (u) => {
    if (look.plot.low >= 0) return;
    const y = Math.round(u.valToPos(0, "y", true)) + 0.5;
    u.ctx.save();
    u.ctx.strokeStyle = look.colour("--line-strong");
    u.ctx.lineWidth = 1;
    u.ctx.setLineDash([]);
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  };
}

export interface Size {
  width: number;
  height: number;
  /** No axes: for small charts beside text. */
  bare?: boolean;
}

export function build(host: HTMLElement, data: uPlot.AlignedData, look: Look, size: Size, events: Events): uPlot {
  const name = () => zoneName(look.zone);
  return new uPlot(
    {
      ...{ width: size.width, height: size.height },
      ms: 1,
      tzDate: (ms) => (name() === undefined ? new Date(ms) : uPlot.tzDate(new Date(ms), name()!)),
      legend: { show: false },
      padding: size.bare ? [2, 0, 2, 0] : [10, 30, 0, 0],
      scales: {
        x: { time: true, range: () => [look.from, look.to] },
        y: { range: () => [look.plot.low, look.plot.high] },
      },
      axes: size.bare ? [{ show: false }, { show: false }] : axesOf(look, size.width < NARROW),
      series: [{}, ...look.plot.layers.map((_, index) => lineOf(look, index))],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false, dist: 5 },
        bind: { dblclick: () => null },
      },
      hooks: {
        drawAxes: [stacks(look)],
        draw: [baseline(look)],
        setCursor: [(u) => events.onmove(u.cursor.left !== undefined && u.cursor.left >= 0 ? (u.cursor.idx ?? undefined) : undefined)],
        setSelect: [
          (u) => {
            const { left, width } = u.select;
            if (width < 5) return;
            const span = [u.posToVal(left, "x"), u.posToVal(left + width, "x")] as const;
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            events.onselect(...span);
          },
        ],
      },
    },
    data,
    host,
  );
}
