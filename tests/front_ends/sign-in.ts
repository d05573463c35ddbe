import { UserManager, WebStorageStateStore } from "oidc-client-ts";

/** The users of an issuer, that of `DREAMNET_OIDC_ISSUER`, on this page. */
export function connect(authority: string, clientId: string): UserManager {
  return new UserManager({
    authority,
    client_id: clientId, // a public client: no secret, PKCE
    redirect_uri: location.origin + location.pathname,
    scope: "openid email",
    userStore: new WebStorageStateStore({ store: sessionStorage }), // of this tab only
    automaticSilentRenew: true,
  });
}

/** Signs in if needed: the page is left, and comes back with a code. */
export async function signIn(users: UserManager): Promise<void> {
  if (new URLSearchParams(location.search).has("state")) {
    await users.signinCallback();
    history.replaceState(null, "", location.pathname); // a code is valid once
  }
  const user = await users.getUser();
  if (!user || user.expired) await users.signinRedirect();
}

/** The current token; call it for each request and each connection, because tokens expire. */
export async function token(users: UserManager): Promise<string> {
  return (await users.getUser())?.access_token ?? "";
}
