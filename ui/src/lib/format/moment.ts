// Moments as text in the chosen time zone.

/** `local`, `utc` or an IANA name as `Intl` takes it; an unknown name falls back to UTC. */
export function zoneName(zone: string): string | undefined {
  if (zone === "local") return undefined;
  if (zone === "utc") return "UTC";
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
}

const FORMATS = new Map<string, Intl.DateTimeFormat>();

function formatter(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`;
  let found = FORMATS.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", { ...options, hourCycle: "h23", timeZone: zoneName(zone) });
    FORMATS.set(key, found);
  }
  return found;
}

const DATE: Intl.DateTimeFormatOptions = { year: "numeric", month: "2-digit", day: "2-digit" };
const TIME: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

/** `2026-11-20`. */
export function date(ms: number, zone: string): string {
  const parts = formatter(zone, DATE).formatToParts(ms);
  const part = (type: string) => parts.find((p) => p.type === type)?.value ?? "";
  return `${part("year")}-${part("month")}-${part("day")}`;
}

/** `16:04:05`, with as many digits of the second as asked for. */
export function time(ms: number, zone: string, digits = 0): string {
  const text = formatter(zone, TIME).format(ms);
  if (digits === 0) return text;
  return `${text}.${String(Math.floor(((ms % 1000) + 1000) % 1000)).padStart(3, "0").slice(0, digits)}`;
}

export function dateTime(ms: number, zone: string, digits = 0): string {
  return `${date(ms, zone)} ${time(ms, zone, digits)}`;
}

/** A moment of the API (RFC 3339, up to nanoseconds) in milliseconds. */
export function millis(text: string): number {
  return Date.parse(text);
}

/** How long ago, in one unit: `12 s ago`. */
export function ago(ms: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - ms) / 1e3));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}
