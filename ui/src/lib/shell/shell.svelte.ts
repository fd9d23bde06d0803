// What of the frame is open, and the few acts that keys, menus and the palette share.

import { router } from "../state/router.svelte";
import { durationText, shift, zoomOut } from "../state/time";
import { view } from "../state/view.svelte";

class Shell {
  time = $state(false);
  palette = $state(false);
  help = $state(false);
  views = $state(false);
  #interval = "";

  shift(direction: -1 | 1): void {
    view.setRange(shift(view.range, direction, Date.now()));
  }

  zoomOut(): void {
    view.setRange(zoomOut(view.range, Date.now()));
  }

  /** Pauses, goes on, or lets a fixed range run on to now. */
  togglePause(): void {
    if (!view.isLive) {
      const { from, to } = view.span;
      view.setRange({ from: `-${durationText(to - from)}`, to: "now" });
      if (view.refresh === 0) this.setRefresh(this.#interval);
    } else if (view.refresh === 0) {
      this.setRefresh(this.#interval);
      view.again();
    } else {
      this.#interval = router.get("refresh");
      this.setRefresh("0");
    }
  }

  /** Seconds as text; "" is the default. */
  setRefresh(seconds: string): void {
    router.set({ refresh: seconds }, { replace: true });
  }

  /** Puts the caret into the filter; Explore has one if the open page does not. */
  focusFilter(): void {
    const field = document.querySelector<HTMLElement>("[data-filter]");
    if (field) field.focus();
    else {
      router.open("explore");
      this.#whenThere("[data-filter]");
    }
  }

  /** Limit: a page that is not there after 2 s gets no focus. */
  #whenThere(selector: string, tries = 40): void {
    const found = document.querySelector<HTMLElement>(selector);
    if (found) found.focus();
    else if (tries > 0) window.setTimeout(() => this.#whenThere(selector, tries - 1), 50);
  }
}

export const shell = new Shell();
