// Who is signed in, and what Weir says of itself.

import { api, Problem } from "../api/client";
import type { Session } from "../api/types";
import { router } from "../state/router.svelte";

const BACK = "weir.back";

class SessionState {
  about = $state.raw<Session | undefined>();

  get known(): boolean {
    return this.about !== undefined;
  }
  get mustSignIn(): boolean {
    return this.about?.auth === "token" && !this.about.signed_in;
  }

  async load(): Promise<void> {
    try {
      this.about = await api.session();
    } catch (error) {
      // For the time until the server has sessions.
      if (!(error instanceof Problem) || error.status !== 404) throw error;
      this.about = { auth: "local", signed_in: true, name: null, version: "", demo: false };
    }
  }

  /** Shows the sign-in page; the open address is gone back to afterwards. */
  showSignIn(): void {
    if (router.page === "sign-in") return;
    window.sessionStorage.setItem(BACK, window.location.pathname + window.location.search);
    router.restore("/sign-in", "");
  }

  async signIn(token: string): Promise<void> {
    await api.signIn(token);
    const back = window.sessionStorage.getItem(BACK) ?? "/overview";
    window.sessionStorage.removeItem(BACK);
    window.location.assign(back);
  }

  async signOut(): Promise<void> {
    await api.signOut();
    window.location.assign("/sign-in");
  }
}

export const session = new SessionState();
