// How well a text fits what was typed; higher is better, undefined is not at all.

/** Every typed word must be found; where it is found makes the rank. `loose` takes scattered letters too. */
export function fit(typed: string, text: string, loose = false): number | undefined {
  const words = typed.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const whole = text.toLowerCase();
  let sum = 0;
  for (const word of words) {
    const found = fitWord(word, whole, loose);
    if (found === undefined) return undefined;
    sum += found;
  }
  if (words.length === 0) return 0;
  // Of two that fit alike, the shorter one is meant.
  return sum - whole.length / 1000;
}

function fitWord(word: string, text: string, loose: boolean): number | undefined {
  const at = text.indexOf(word);
  if (at === 0) return 4;
  if (at > 0) return /[\s_\-/.:]/.test(text[at - 1]!) ? 3 : 2;
  return loose && isSpread(word, text) ? 1 : undefined;
}

/** The letters come in this order, with others between. */
function isSpread(word: string, text: string): boolean {
  let at = -1;
  return [...word].every((letter) => (at = text.indexOf(letter, at + 1)) >= 0);
}

interface Named {
  label: string;
  more?: string;
}

/** What fits, best first; scattered letters count only where nothing else fits. */
export function best<T extends Named>(typed: string, all: T[], count: number): T[] {
  const strict = ranked(typed, all, false);
  return (strict.length > 0 ? strict : ranked(typed, all, true)).slice(0, count);
}

function ranked<T extends Named>(typed: string, all: T[], loose: boolean): T[] {
  const found: { one: T; rank: number }[] = [];
  for (const one of all) {
    const byMore = fit(typed, `${one.label} ${one.more ?? ""}`, loose);
    const rank = fit(typed, one.label, loose) ?? (byMore === undefined ? undefined : byMore / 2);
    if (rank !== undefined) found.push({ one, rank });
  }
  // The order of `all` stays among equals: sorting is stable.
  return found.sort((a, b) => b.rank - a.rank).map((entry) => entry.one);
}
