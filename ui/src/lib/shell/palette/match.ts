// How well a text fits what was typed; higher is better, undefined is not at all.

/** Every typed word must be found; where it is found makes the rank. */
export function fit(typed: string, text: string): number | undefined {
  const words = typed.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const whole = text.toLowerCase();
  let sum = 0;
  for (const word of words) {
    const found = fitWord(word, whole);
    if (found === undefined) return undefined;
    sum += found;
  }
  if (words.length === 0) return 0;
  // Of two that fit alike, the shorter one is meant.
  return sum - whole.length / 1000;
}

function fitWord(word: string, text: string): number | undefined {
  const at = text.indexOf(word);
  if (at === 0) return 4;
  if (at > 0) return /[\s_\-/.:]/.test(text[at - 1]!) ? 3 : 2;
  return isSpread(word, text) ? 1 : undefined;
}

/** The letters come in this order, with others between. */
function isSpread(word: string, text: string): boolean {
  let at = -1;
  return [...word].every((letter) => (at = text.indexOf(letter, at + 1)) >= 0);
}

export function best<T extends { label: string; more?: string }>(typed: string, all: T[], count: number): T[] {
  return all
    .map((one, order) => ({ one, order, rank: fit(typed, one.label) ?? half(fit(typed, `${one.label} ${one.more ?? ""}`)) }))
    .filter((entry): entry is { one: T; order: number; rank: number } => entry.rank !== undefined)
    .sort((a, b) => b.rank - a.rank || a.order - b.order)
    .slice(0, count)
    .map((entry) => entry.one);
}

function half(rank: number | undefined): number | undefined {
  return rank === undefined ? undefined : rank / 2;
}
