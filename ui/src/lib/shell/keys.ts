// What a key means anywhere on the page. Pure; Keys.svelte does what is said here.

import type { Page } from "../state/url";

export type Command =
  | { does: "palette" | "help" | "filter" | "time" | "pause" | "refresh" | "back" | "forward" | "zoom-out" | "prefix" }
  | { does: "open"; page: Page };

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  /** Some keyboards write `[` and `]` only with AltGr; some systems report that as Ctrl and Alt. */
  altGraph: boolean;
}

export const PAGE_KEYS: Record<string, Page> = {
  o: "overview", e: "explore", r: "records", x: "exporters", h: "health",
};

const KEYS: Record<string, Exclude<Command["does"], "open">> = {
  "/": "filter", "?": "help", t: "time", p: "pause", r: "refresh", "[": "back", "]": "forward", z: "zoom-out", g: "prefix",
};

/**
 * `typing`: the key goes into a field or moves in a menu. `letters`: whether plain letters are
 * commands at all (people who speak to their computer switch them off, WCAG 2.1.4). `afterG`: the
 * key before was the prefix `g`.
 */
export function commandOf(key: Pressed, typing: boolean, letters: boolean, afterG: boolean): Command | undefined {
  if ((key.ctrlKey || key.metaKey) && !key.altKey && !key.altGraph && key.key.toLowerCase() === "k") return { does: "palette" };
  const isHeld = !key.altGraph && (key.ctrlKey || key.altKey);
  if (typing || !letters || isHeld || key.metaKey) return undefined;
  if (afterG) {
    const page = PAGE_KEYS[key.key];
    return page ? { does: "open", page } : undefined;
  }
  const does = KEYS[key.key];
  return does ? { does } : undefined;
}

/** For the help: keys and what they do, by group. */
export const HELP: { group: string; rows: { keys: string[]; does: string }[] }[] = [
  {
    group: "Anywhere",
    rows: [
      { keys: ["Ctrl K", "⌘ K"], does: "Palette: pages, views, times, columns" },
      { keys: ["/"], does: "Write a filter" },
      { keys: ["?"], does: "This help" },
      { keys: ["g o", "g e", "g r", "g x", "g h"], does: "Overview, Explore, Records, Exporters, Health" },
    ],
  },
  {
    group: "Time",
    rows: [
      { keys: ["t"], does: "Choose the range" },
      { keys: ["[", "]"], does: "Back, forward" },
      { keys: ["z"], does: "Zoom out" },
      { keys: ["p"], does: "Pause or go on" },
      { keys: ["r"], does: "Ask again now" },
    ],
  },
  {
    group: "In the filter",
    rows: [
      { keys: ["Enter"], does: "Run" },
      { keys: ["Shift Enter"], does: "New line" },
      { keys: ["Ctrl Space"], does: "What can stand here" },
      { keys: ["↑", "↓", "Tab"], does: "Choose, take" },
      { keys: ["Esc"], does: "Close the list; then leave the field" },
    ],
  },
  {
    group: "In a table",
    rows: [
      { keys: ["↑", "↓", "←", "→"], does: "Walk" },
      { keys: ["Ctrl Home", "Ctrl End"], does: "First, last" },
      { keys: ["Enter", "Esc"], does: "Open and close a record; sort" },
      { keys: ["Space"], does: "What can be done with a value" },
      { keys: ["Shift ←", "Alt ←"], does: "A heading: width, place" },
    ],
  },
  {
    group: "On a value",
    rows: [{ keys: ["Enter"], does: "Keep, leave out, divide, records, copy" }],
  },
];
