// The moment under the pointer, shared by all charts with the same name.

class SharedCursor {
  #at = $state<Record<string, number | undefined>>({});

  get(name: string | undefined): number | undefined {
    return name === undefined ? undefined : this.#at[name];
  }
  set(name: string | undefined, ms: number | undefined): void {
    if (name !== undefined && this.#at[name] !== ms) this.#at[name] = ms;
  }
}

export const cursor = new SharedCursor();
