// Dark, light, or what the system says; kept in this browser only.

export type Choice = "system" | "light" | "dark";

const KEY = "weir.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

class Theme {
  choice = $state<Choice>(stored());
  #systemDark = $state(system.matches);

  constructor() {
    system.addEventListener("change", (event) => {
      this.#systemDark = event.matches;
      this.apply();
    });
    this.apply();
  }

  get isDark(): boolean {
    return this.choice === "system" ? this.#systemDark : this.choice === "dark";
  }

  choose(choice: Choice): void {
    this.choice = choice;
    try {
      window.localStorage.setItem(KEY, choice);
    } catch {
      // Storage may be switched off; the choice then lasts as long as the page.
    }
    this.apply();
  }

  apply(): void {
    document.documentElement.dataset.theme = this.isDark ? "dark" : "light";
  }
}

function stored(): Choice {
  try {
    const text = window.localStorage.getItem(KEY);
    return text === "light" || text === "dark" ? text : "system";
  } catch {
    return "system";
  }
}

export const theme = new Theme();

/** The value of a design token, for canvases. Reads `theme.isDark`, so that effects follow it. */
export function token(name: string): string {
  void theme.isDark;
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
