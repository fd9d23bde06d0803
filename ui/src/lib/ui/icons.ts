// Strokes on a 16 × 16 grid, round ends. One path each.

export const ICONS = {
  back: "M10 3.5 5.5 8l4.5 4.5",
  bookmark: "M4 2.5h8v11L8 10.5l-4 3z",
  check: "m3.5 8.5 3 3 6-7",
  clock: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2ZM8 5v3.2l2.2 1.5",
  close: "m4 4 8 8m0-8-8 8",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  down: "m4.5 6.5 3.5 3.5 3.5-3.5",
  forward: "M6 3.5 10.5 8 6 12.5",
  keep: "M2.5 3.5h11L9.5 8.5v4l-3 1v-5z",
  keys: "M2 4.5h12v7.5H2zM4.5 7h.01M7 7h.01M9 7h.01M11.5 7h.01M5 9.7h6",
  link: "M6.5 9.5l3-3M7 5l1.2-1.2a2.8 2.8 0 0 1 4 4L11 9M9 11l-1.2 1.2a2.8 2.8 0 0 1-4-4L5 7",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5Z",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  omit: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11ZM4.2 4.2l7.6 7.6",
  out: "M6.5 2.5h-4v11h4M6 8h8m-3-3 3 3-3 3",
  pause: "M5.5 3.5v9m5-9v9",
  pencil: "m3 13 .7-3L10.5 3.2l2.3 2.3L6 12.3z",
  play: "M5 3.2v9.6L12.5 8z",
  refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3",
  rows: "M2.5 4h11m-11 4h11m-11 4h11",
  search: "M7 2.7a4.3 4.3 0 1 0 0 8.6 4.3 4.3 0 0 0 0-8.6ZM10.3 10.3l3.2 3.2",
  split: "M2.5 8h4m0 0 3-4h4m-7 4 3 4h4",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM8 1.5v1.2m0 10.6v1.2M1.5 8h1.2m10.6 0h1.2M3.4 3.4l.9.9m7.4 7.4.9.9m0-9.2-.9.9m-7.4 7.4-.9.9",
  system: "M2 3h12v8H2zM5.5 13.5h5",
  trash: "M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5l.6 9h5.8l.6-9",
  "zoom-out": "M7 2.7a4.3 4.3 0 1 0 0 8.6 4.3 4.3 0 0 0 0-8.6ZM10.3 10.3l3.2 3.2M5.2 7h3.6",
} as const;

export type IconName = keyof typeof ICONS;
