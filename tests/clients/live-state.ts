import { type LiveState, resuming } from "@dreamnet/live";
import type { Client } from "graphql-sse";
import { HISTORY, type History, type Show } from "./history.ts";

export function follow(client: Client, show: Show, onState: (state: LiveState) => void): () => void {
  const subscribe = resuming(client.subscribe<History>, { onState });
  return subscribe(
    { query: HISTORY },
    {
      next: ({ data }) => data && show(data.agentHistory),
      error: (refused) => console.error(refused),
      complete: () => {},
    },
  );
}
