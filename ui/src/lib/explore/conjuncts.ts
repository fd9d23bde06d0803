// The conditions that a filter joins by `and`, so that each can be dropped for itself. Cut at the
// tokens that the server read; the grammar stays there.

import type { Token } from "../api/types";

/** Characters from `offset` on, as the server counts them. */
function slice(chars: string[], from: number, to?: number): string {
  return chars.slice(from, to).join("").trim();
}

/** The conditions at the top; one that holds an `or` outside of brackets is the whole filter. */
export function conjuncts(filter: string, tokens: Token[]): string[] {
  const chars = Array.from(filter);
  const text = (token: Token) => chars.slice(token.offset, token.offset + token.length).join("").toLowerCase();
  const cuts: Token[] = [];
  let depth = 0;
  for (const token of tokens) {
    const word = text(token);
    if (token.kind === "punctuation" && word === "(") depth += 1;
    else if (token.kind === "punctuation" && word === ")") depth -= 1;
    else if (depth === 0 && (word === "or" || word === "||") && token.kind !== "text" && token.kind !== "value") return [filter.trim()];
    else if (depth === 0 && (word === "and" || word === "&&") && token.kind !== "text" && token.kind !== "value") cuts.push(token);
  }
  const parts: string[] = [];
  let start = 0;
  for (const cut of cuts) {
    parts.push(slice(chars, start, cut.offset));
    start = cut.offset + cut.length;
  }
  parts.push(slice(chars, start));
  return parts.filter((part) => part !== "");
}

/** The filter without its n-th condition. */
export function without(parts: string[], index: number): string {
  return parts.filter((_, i) => i !== index).join(" and ");
}
