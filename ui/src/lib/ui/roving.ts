// Arrow keys inside a menu: up, down, Home, End, and the first letters of an entry.

const ENTRIES = '[role^="menuitem"]:not(:disabled)';

function entries(menu: HTMLElement): HTMLElement[] {
  return [...menu.querySelectorAll<HTMLElement>(ENTRIES)];
}

export function focusFirst(menu: HTMLElement): void {
  const all = entries(menu);
  (all.find((entry) => entry.getAttribute("aria-checked") === "true") ?? all[0])?.focus();
}

/** The entry that a key leads to, counted from `at` (-1: none yet); undefined leaves the key alone. */
export function target(key: string, at: number, labels: string[]): number | undefined {
  const count = labels.length;
  if (count === 0) return undefined;
  if (key === "ArrowDown") return (at + 1) % count;
  if (key === "ArrowUp") return at <= 0 ? count - 1 : at - 1;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (key.length !== 1 || key === " ") return undefined;
  for (let step = 1; step <= count; step += 1) {
    const next = (at + step) % count;
    if (labels[next]!.trim().toLowerCase().startsWith(key.toLowerCase())) return next;
  }
  return undefined;
}

/** Key handler of an element with role="menu". */
export function roving(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // A field inside the menu keeps its keys.
  if (event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
  const all = entries(event.currentTarget);
  const at = all.indexOf(document.activeElement as HTMLElement);
  const next = target(event.key, at, all.map((entry) => entry.textContent ?? ""));
  if (next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  all[next]!.focus();
}
