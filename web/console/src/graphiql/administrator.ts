import { useEffect, useState } from "react";
import { authorization } from "../api/credential.ts";
import { GRAPHQL } from "../api/places.ts";

/** True once the gateway says that the caller may see the statements of operations. */
export function useAdministrator(credential: string): boolean {
  const [isAdministrator, setAdministrator] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    setAdministrator(false);
    fetch(GRAPHQL, {
      method: "POST",
      headers: { "content-type": "application/json", ...authorization() },
      body: JSON.stringify({ query: "query Viewer { viewer { role scopes } }" }),
      signal: abort.signal,
    })
      .then((response) => response.json())
      .then(({ data }) => setAdministrator(data?.viewer.role === "ADMIN" && data.viewer.scopes.length === 0))
      .catch(() => {});
    return () => abort.abort();
  }, [credential]);
  return isAdministrator;
}
