// One short line about what was just done. It goes by itself; nothing important stands only here.

import { copy } from "./copy";

const SHOWN_MS = 3500;

class Toast {
  text = $state("");
  kind = $state<"good" | "bad">("good");
  #timer: number | undefined;

  say(text: string, kind: "good" | "bad" = "good"): void {
    window.clearTimeout(this.#timer);
    this.text = text;
    this.kind = kind;
    this.#timer = window.setTimeout(() => (this.text = ""), SHOWN_MS);
  }
}

export const toast = new Toast();

/** Copies a text and says so. */
export async function copyAloud(text: string, said = "Copied"): Promise<void> {
  if (await copy(text)) toast.say(said);
  else toast.say("The browser did not let Weir copy", "bad");
}
