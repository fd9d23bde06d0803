// Who is signed in, and what Weir says of itself.

import { api } from "../api/client";
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
    this.about = await api.session();
  }

  /** Shows the sign-in page; the open address is gone back to afterwards. */
  showSignIn(): void {
    if (router.page === "sign-in") return;
    if (this.about) this.about = { ...this.about, auth: "token", signed_in: false };
    window.sessionStorage.setItem(BACK, `/${router.page}${window.location.search}`);
    router.restore("/sign-in", "", { replace: true });
  }

  async signIn(token: string): Promise<void> {
    await api.signIn(token);
    const back = window.sessionStorage.getItem(BACK) ?? "/overview";
    window.sessionStorage.removeItem(BACK);
    // Why: loaded anew, so that every page asks with the new session; "back" skips the sign-in.
    window.location.replace(back);
  }

  /** Everything that was shown goes with the page. */
  async signOut(): Promise<void> {
    await api.signOut();
    window.location.replace("/sign-in");
  }
}

export const session = new SessionState();
