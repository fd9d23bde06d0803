// The saved views of this Weir. Every change is answered by the server before it is shown.

import { api, Problem } from "../../api/client";
import { Resource } from "../../api/resource.svelte";
import type { SavedView } from "../../api/types";
import { router } from "../../state/router.svelte";
import { format } from "../../state/url";
import { sorted } from "./link";

class Views {
  #list = new Resource<{ views: SavedView[] }>();
  /** Why the last change was refused. */
  refused = $state.raw<Problem | undefined>();
  busy = $state(false);

  readonly all = $derived(sorted(this.#list.data?.views ?? []));
  get known(): boolean {
    return this.#list.data !== undefined;
  }
  get error(): Problem | undefined {
    return this.#list.error;
  }

  load(): Promise<void> {
    this.refused = undefined;
    return this.#list.load((signal) => api.views(signal));
  }

  save(name: string): Promise<boolean> {
    return this.#change(() => api.saveView({ name: name.trim(), ...here() }));
  }
  /** The view shows from now on what the page shows. */
  overwrite(view: SavedView): Promise<boolean> {
    return this.#change(() => api.updateView(view.id, { name: view.name, ...here() }));
  }
  rename(view: SavedView, name: string): Promise<boolean> {
    return this.#change(() => api.updateView(view.id, { name: name.trim(), page: view.page, state: view.state }));
  }
  remove(view: SavedView): Promise<boolean> {
    return this.#change(() => api.deleteView(view.id));
  }

  async #change(act: () => Promise<unknown>): Promise<boolean> {
    this.busy = true;
    try {
      await act();
      await this.load();
      return true;
    } catch (error) {
      this.refused = error instanceof Problem ? error : new Problem(0, "", "The page failed", String(error));
      return false;
    } finally {
      this.busy = false;
    }
  }
}

function here(): { page: string; state: string } {
  return { page: router.page, state: format(router.params) };
}

export const views = new Views();
