// Whether plain letters are commands; kept in this browser only.

const KEY = "weir.letters";

class Letters {
  on = $state(stored());

  choose(on: boolean): void {
    this.on = on;
    try {
      window.localStorage.setItem(KEY, on ? "on" : "off");
    } catch {
      // Storage may be switched off; the choice then lasts as long as the page.
    }
  }
}

function stored(): boolean {
  try {
    return window.localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

export const letters = new Letters();
