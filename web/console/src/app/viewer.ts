/** The caller, and what it may see. */
import { createContext, useContext } from "react";
import { graphql } from "../gql/index.ts";
import type { Role, ViewerQuery } from "../gql/graphql.ts";

export const VIEWER = graphql(`
  query Viewer {
    viewer { role scopes }
  }
`);

export type Viewer = ViewerQuery["viewer"];

export const ANONYMOUS: Viewer = { role: null, scopes: [] };

const Current = createContext<Viewer>(ANONYMOUS);
export const ViewerProvider = Current.Provider;
export const useViewer = (): Viewer => useContext(Current);

const RANKS: Record<Role, number> = { MEMBER: 1, OPERATOR: 2, ADMIN: 3 };

/** True if the viewer has the role, or a key with all of those scopes: such a key has no role. */
export function may({ role, scopes }: Viewer, least: Role, ...needed: string[]): boolean {
  if (scopes.length > 0) return needed.length > 0 && needed.every((scope) => scopes.includes(scope));
  return role != null && RANKS[role] >= RANKS[least];
}
