// Filters that were run of late, kept in this browser only: at most 20, newest first.

const KEY = "weir.filters";
export const RECENT_MAX = 20;
/** Limit: a longer filter is made by a program, not by hand; it stays out. */
const LENGTH_MAX = 2000;

/** The list with one more; a filter stands in it once. */
export function withRecent(list: string[], filter: string): string[] {
  const text = filter.trim();
  if (text === "" || text.length > LENGTH_MAX) return list;
  return [text, ...list.filter((other) => other !== text)].slice(0, RECENT_MAX);
}

/** Whatever stands in the storage, as a list: another program may have written there. */
export function readList(stored: string | null): string[] {
  try {
    const list: unknown = JSON.parse(stored ?? "[]");
    if (!Array.isArray(list)) return [];
    return list.filter((text): text is string => typeof text === "string" && text.length <= LENGTH_MAX).slice(0, RECENT_MAX);
  } catch {
    return [];
  }
}

export function recentFilters(): string[] {
  try {
    return readList(window.localStorage.getItem(KEY));
  } catch {
    return [];
  }
}

export function remember(filter: string): void {
  try {
    window.localStorage.setItem(KEY, JSON.stringify(withRecent(recentFilters(), filter)));
  } catch {
    // Storage may be switched off or full: then nothing is remembered.
  }
}

export function forgetAll(): void {
  try {
    window.localStorage.removeItem(KEY);
  } catch {
    // As above.
  }
}
