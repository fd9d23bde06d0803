// Server-sent events out of a stream of text, however it is cut into pieces. The browser's own
// EventSource hides why a request was refused and when it comes back; a live tail must say both.

export interface Event {
  kind: string;
  data: string;
}

/** A line longer than this is no record of ours; the reader gives up rather than grow. */
const LINE_MAX = 4_000_000;

export class SseReader {
  #rest = "";
  #kind = "";
  #data: string[] = [];

  /** The events that this piece completes. Throws when a line has no end. */
  push(piece: string): Event[] {
    const events: Event[] = [];
    const text = this.#rest + piece;
    let from = 0;
    for (;;) {
      const end = lineEnd(text, from);
      if (end === undefined) break;
      const event = this.#line(text.slice(from, end.at));
      if (event) events.push(event);
      from = end.next;
    }
    this.#rest = text.slice(from);
    if (this.#rest.length > LINE_MAX) throw new Error("an event is longer than 4 MB");
    return events;
  }

  #line(line: string): Event | undefined {
    if (line === "") {
      const event = { kind: this.#kind || "message", data: this.#data.join("\n") };
      const isEmpty = this.#data.length === 0;
      this.#kind = "";
      this.#data = [];
      return isEmpty ? undefined : event;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#kind = value;
    if (field === "data") this.#data.push(value);
    return undefined;
  }
}

function lineEnd(text: string, from: number): { at: number; next: number } | undefined {
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === "\n") return { at: i, next: i + 1 };
    if (text[i] !== "\r") continue;
    // Why: a piece may end between CR and LF; the line is then complete with the next one.
    if (i + 1 === text.length) return undefined;
    return { at: i, next: text[i + 1] === "\n" ? i + 2 : i + 1 };
  }
  return undefined;
}
