import { type Client, createClient } from "graphql-ws";
import { resuming } from "@dreamnet/live";
import { HISTORY, type History, type Show } from "./history.ts";

export function connect(host: string, key: () => string): Client {
  return createClient({
    url: `ws://${host}/graphql`,
    connectionParams: () => ({ authorization: `Bearer ${key()}` }), // called for each connection
    connectionAckWaitTimeout: 10_000,
    keepAlive: 10_000,
    retryAttempts: 0, // `resuming` reconnects
  });
}

export function follow(client: Client, show: Show): () => void {
  const subscribe = resuming(client.subscribe<History>, { hangUp: client.terminate });
  return subscribe(
    { query: HISTORY },
    {
      next: ({ data }) => data && show(data.agentHistory),
      error: (refused) => console.error(refused),
      complete: () => {},
    },
  );
}
