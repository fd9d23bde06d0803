// What a key means in a table, after the grid pattern of the ARIA practices. Row -1 is the head.

interface At {
  row: number;
  column: number;
}

export type Act =
  | { to: At }
  | { is: "open" | "menu" | "sort" }
  | { is: "move"; by: -1 | 1 }
  | { is: "wider"; by: number };

type Pressed = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">;

/** Pixels of one step of a column's width. */
const WIDER = 16;

export function keyed(event: Pressed, at: At, size: { rows: number; columns: number; page: number }): Act | undefined {
  const whole = event.ctrlKey || event.metaKey;
  const isHead = at.row < 0;
  if (isHead && (event.shiftKey || event.altKey) && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
    const by = event.key === "ArrowLeft" ? -1 : 1;
    return event.shiftKey ? { is: "wider", by: by * WIDER } : { is: "move", by };
  }
  if (event.key === "ContextMenu" || (event.shiftKey && event.key === "F10")) return isHead ? undefined : { is: "menu" };
  if (event.altKey) return undefined;
  if (event.key === "Enter" || event.key === " ") return { is: isHead ? "sort" : event.key === " " ? "menu" : "open" };
  const to = target(event.key, whole, at, size);
  if (to === undefined) return undefined;
  return {
    to: {
      row: Math.min(Math.max(to.row, -1), size.rows - 1),
      column: Math.min(Math.max(to.column, 0), Math.max(size.columns - 1, 0)),
    },
  };
}

function target(key: string, whole: boolean, at: At, size: { rows: number; columns: number; page: number }): At | undefined {
  const { row, column } = at;
  switch (key) {
    case "ArrowUp":
      return { row: whole ? 0 : row - 1, column };
    case "ArrowDown":
      return { row: whole ? size.rows - 1 : row + 1, column };
    case "ArrowLeft":
      return { row, column: whole ? 0 : column - 1 };
    case "ArrowRight":
      return { row, column: whole ? size.columns - 1 : column + 1 };
    case "PageUp":
      return { row: Math.max(row - size.page, 0), column };
    case "PageDown":
      return { row: row + size.page, column };
    case "Home":
      return whole ? { row: 0, column: 0 } : { row, column: 0 };
    case "End":
      return whole ? { row: size.rows - 1, column: size.columns - 1 } : { row, column: size.columns - 1 };
    default:
      return undefined;
  }
}
