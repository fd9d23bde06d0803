// Places in a filter's text. The server counts characters, the browser UTF-16 units: everything
// that goes between the two passes here.

import type { Token } from "../api/types";

/** UTF-16 index of the place before which `count` characters stand. */
export function indexAt(text: string, count: number): number {
  let index = 0;
  for (let seen = 0; seen < count && index < text.length; seen += 1) {
    index += text.codePointAt(index)! > 0xffff ? 2 : 1;
  }
  return index;
}

/** How many characters stand before a UTF-16 index. */
export function charsBefore(text: string, index: number): number {
  let count = 0;
  for (let i = 0; i < index; count += 1) i += text.codePointAt(i)! > 0xffff ? 2 : 1;
  return count;
}

/**
 * The tokens of `before` that are still right in `after`: those in the common beginning stay, those
 * in the common end move along. So colours do not flicker while the server reads the new text.
 */
export function carried(tokens: Token[], before: string, after: string): Token[] {
  if (before === after) return tokens;
  const [old, now] = [Array.from(before), Array.from(after)];
  const shorter = Math.min(old.length, now.length);
  let head = 0;
  while (head < shorter && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail += 1;
  const moved = now.length - old.length;
  return tokens.flatMap((token) => {
    if (token.offset + token.length <= head) return [token];
    return token.offset >= old.length - tail ? [{ ...token, offset: token.offset + moved }] : [];
  });
}

export interface Piece {
  text: string;
  kind: string;
  wrong: boolean;
}

/** The text cut at tokens and at the wrong place, whole and in order. */
export function pieces(text: string, tokens: Token[], wrong?: { offset: number; length: number }): Piece[] {
  const chars = Array.from(text);
  const kinds = new Array<string>(chars.length).fill("");
  for (const token of tokens) kinds.fill(token.kind, token.offset, token.offset + token.length);
  const from = wrong?.offset ?? Infinity;
  // A place without length (something is missing) points at one character, at least the last.
  const start = Math.min(from, Math.max(chars.length - 1, 0));
  const end = from === Infinity ? -1 : start + Math.max(wrong?.length ?? 0, 1);
  const found: Piece[] = [];
  chars.forEach((char, i) => {
    const isWrong = from !== Infinity && i >= start && i < end;
    const last = found[found.length - 1];
    if (last && last.kind === kinds[i] && last.wrong === isWrong) last.text += char;
    else found.push({ text: char, kind: kinds[i]!, wrong: isWrong });
  });
  return found;
}

/** The name that a refusal proposes (``did you mean `proto`?``). */
export function proposal(remedy: string | undefined): string | undefined {
  return remedy?.match(/^did you mean `([^`]+)`\?$/)?.[1];
}

/** A server's sentence cut at its back-ticks: every second part is code. */
export function spoken(detail: string): { text: string; code: boolean }[] {
  return detail.split("`").map((text, i) => ({ text, code: i % 2 === 1 })).filter((part) => part.text !== "");
}
