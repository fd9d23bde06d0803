// Where a panel goes beside what opened it: below if there is room, else above, never outside.

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Placed {
  left: number;
  top: number;
  heightMax: number;
}

const EDGE = 8;
const GAP = 4;
/** A panel lower than this may stay below, even if there is more room above. */
const ENOUGH = 240;

export function placed(
  anchor: Box,
  panel: { width: number; height: number },
  viewport: { width: number; height: number },
  align: "start" | "end" = "start",
): Placed {
  const wanted = align === "start" ? anchor.left : anchor.left + anchor.width - panel.width;
  const left = Math.max(EDGE, Math.min(wanted, viewport.width - EDGE - panel.width));
  const under = anchor.top + anchor.height + GAP;
  const roomBelow = viewport.height - EDGE - under;
  const roomAbove = anchor.top - GAP - EDGE;
  if (panel.height <= roomBelow || roomBelow >= ENOUGH || roomBelow >= roomAbove) {
    return { left, top: under, heightMax: Math.max(roomBelow, 0) };
  }
  const height = Math.min(panel.height, roomAbove);
  return { left, top: anchor.top - GAP - height, heightMax: roomAbove };
}

/** Puts `panel` (position: fixed) beside `anchor` and keeps it there until the answer is called. */
export function keepBeside(anchor: Element, panel: HTMLElement, align: "start" | "end" = "start"): () => void {
  const put = () => {
    // Why: rows of a refreshed table may be gone; the panel then stays where it was.
    if (!anchor.isConnected) return;
    panel.style.maxHeight = "";
    const viewport = { width: document.documentElement.clientWidth, height: window.innerHeight };
    const size = { width: panel.offsetWidth, height: panel.offsetHeight };
    const at = placed(anchor.getBoundingClientRect(), size, viewport, align);
    panel.style.left = `${at.left}px`;
    panel.style.top = `${at.top}px`;
    panel.style.maxHeight = `${at.heightMax}px`;
  };
  const onscroll = (event: Event) => {
    if (!(event.target instanceof Node && panel.contains(event.target))) put();
  };
  put();
  window.addEventListener("scroll", onscroll, { capture: true, passive: true });
  window.addEventListener("resize", put);
  // The panel may grow when its content comes later.
  const grown = new ResizeObserver(put);
  for (const child of panel.children) grown.observe(child);
  return () => {
    grown.disconnect();
    window.removeEventListener("scroll", onscroll, { capture: true });
    window.removeEventListener("resize", put);
  };
}
