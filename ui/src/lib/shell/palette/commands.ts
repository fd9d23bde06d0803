// Everything the palette can do, in the order in which it is offered while nothing is typed.

import { VIEWS } from "../../explore/state";
import { VIEW_WORDS } from "../../explore/words";
import { router } from "../../state/router.svelte";
import { schema } from "../../state/schema.svelte";
import { PRESETS } from "../../state/time";
import { view } from "../../state/view.svelte";
import type { IconName } from "../../ui/icons";
import { copyAloud } from "../../ui/toast.svelte";
import { PAGE_KEYS } from "../keys";
import { session } from "../session.svelte";
import { shell } from "../shell.svelte";
import { type Choice, theme } from "../theme.svelte";
import { viewHref } from "../views/link";
import { views } from "../views/views.svelte";

export interface Command {
  id: string;
  label: string;
  icon: IconName;
  /** Said beside the label; found by the search too. */
  more?: string;
  keys?: string;
  act: () => void;
}

export function commands(): Command[] {
  return [...pages(), ...acts(), ...savedViews(), ...times(), ...looks(), ...charts(), ...groups()];
}

function pages(): Command[] {
  return Object.entries(PAGE_KEYS).map(([key, page]) => ({
    id: `page ${page}`, label: page[0]!.toUpperCase() + page.slice(1), icon: "forward", more: "page", keys: `g ${key}`,
    act: () => router.open(page),
  }));
}

function acts(): Command[] {
  const all: Command[] = [
    { id: "filter", label: "Write a filter", icon: "keep", keys: "/", act: () => shell.focusFilter() },
    { id: "time", label: "Choose the range of time", icon: "clock", keys: "t", act: () => (shell.time = true) },
    { id: "save", label: "Save or open a view", icon: "bookmark", act: () => (shell.views = true) },
    { id: "out", label: "Zoom out", icon: "zoom-out", more: "time", keys: "z", act: () => shell.zoomOut() },
    {
      id: "pause", label: view.isLive && view.refresh > 0 ? "Pause" : "Go on live", icon: view.isLive && view.refresh > 0 ? "pause" : "play",
      more: "refresh", keys: "p", act: () => shell.togglePause(),
    },
    { id: "link", label: "Copy the link of this page", icon: "link", act: () => void copyAloud(window.location.href, "Link copied") },
    { id: "help", label: "Keyboard help", icon: "keys", keys: "?", act: () => (shell.help = true) },
  ];
  if (session.about?.auth === "token") {
    all.push({ id: "sign out", label: "Sign out", icon: "out", act: () => void session.signOut() });
  }
  return all;
}

function savedViews(): Command[] {
  return views.all.map((saved) => ({
    id: `view ${saved.id}`, label: saved.name, icon: "bookmark", more: `saved view, ${saved.page}`,
    act: () => {
      const url = new URL(viewHref(saved), window.location.href);
      router.restore(url.pathname, url.search);
    },
  }));
}

function times(): Command[] {
  return PRESETS.map(({ label, range }) => ({
    id: `time ${label}`, label, icon: "clock", more: "time", act: () => view.setRange(range),
  }));
}

function looks(): Command[] {
  const choices: [Choice, string, IconName][] = [
    ["system", "Colours of the system", "system"], ["light", "Light colours", "sun"], ["dark", "Dark colours", "moon"],
  ];
  return choices.map(([choice, label, icon]) => ({
    id: `theme ${choice}`, label, icon, more: "theme", act: () => theme.choose(choice),
  }));
}

function charts(): Command[] {
  return VIEWS.map((name) => ({
    id: `chart ${name}`, label: `Explore as ${VIEW_WORDS[name]?.toLowerCase()}`, icon: "forward", more: "view",
    act: () => (router.page === "explore" ? router.set({ view: name }) : router.open("explore", { view: name })),
  }));
}

function groups(): Command[] {
  return schema.flows.filter((column) => column.role === "dimension" && column.stored).map((column) => ({
    id: `by ${column.name}`, label: `Group by ${column.name}`, icon: "split", more: column.doc,
    act: () => router.open("explore", { by: column.name }),
  }));
}
