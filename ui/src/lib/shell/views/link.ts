// Where a saved view leads. Views come from the server, but people write them: an address is made
// of a known page and its parameters only.

import type { SavedView } from "../../api/types";
import { PAGES } from "../../state/url";

export const NAME_MAX = 120;

export function viewHref(view: Pick<SavedView, "page" | "state">): string {
  const page = (PAGES as readonly string[]).includes(view.page) && view.page !== "sign-in" ? view.page : "overview";
  return `/${page}?${view.state.replace(/^\?/, "")}`;
}

/** Views by name, as people sort: case aside, numbers by size. */
export function sorted(views: SavedView[]): SavedView[] {
  const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  return [...views].sort((a, b) => order.compare(a.name, b.name) || (a.id < b.id ? -1 : 1));
}

/** The view that has this name already, case aside. */
export function namesake(views: SavedView[], name: string): SavedView | undefined {
  const wanted = name.trim().toLowerCase();
  return views.find((view) => view.name.trim().toLowerCase() === wanted);
}
