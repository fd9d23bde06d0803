// Numbers as people read them. Bits and octets are decimal (SI), as on the wire and in the CLI.

const STEPS = ["", "k", "M", "G", "T", "P", "E"];

/** Three significant digits and an SI prefix: `1.25 M`. Null is a dash, never zero. */
export function si(value: number | null | undefined, unit = ""): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 1 && unit !== "") return `${round(value)} ${unit}`;
  let step = 0;
  let scaled = value;
  // 999.5 would be written as "1000": it belongs to the next step.
  while (Math.abs(scaled) >= 999.5 && step < STEPS.length - 1) {
    scaled /= 1000;
    step += 1;
  }
  const suffix = `${STEPS[step]}${unit}`;
  return suffix === "" ? round(scaled) : `${round(scaled)} ${suffix}`;
}

function round(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1000) return String(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

const UNIT_OF: Record<string, string> = {
  bps: "bit/s", pps: "pkt/s", fps: "flows/s", octets: "B", packets: "", flows: "", records: "",
};

/** Unit of a measure: `bps` → `bit/s`. */
export function unitOf(measure: string, told = ""): string {
  const plain = measure.replace(/^(previous\.|reverse_)+/, "");
  return UNIT_OF[plain] ?? told;
}

export function measureText(measure: string, value: number | null | undefined, told = ""): string {
  return si(value, unitOf(measure, told));
}

/** An exact count with thousands apart, for tooltips and tables. */
export function exact(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const text = typeof value === "string" ? value : Number.isInteger(value) ? String(value) : value.toFixed(2);
  const [whole, part] = text.split(".");
  const grouped = whole!.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
  return part ? `${grouped}.${part}` : grouped;
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return "–";
  const share = (part / whole) * 100;
  return share !== 0 && share < 0.1 ? "<0.1 %" : `${share.toFixed(share < 10 ? 1 : 0)} %`;
}
