import type { AlertRowFragment } from "../../gql/graphql.ts";
import { Badge } from "../../ui/Badge.tsx";
import { stateOf, TONES } from "./states.ts";

export function StateBadge({ of }: { of: AlertRowFragment }) {
  const state = stateOf(of);
  return <Badge tone={TONES[state]}>{state}</Badge>;
}
