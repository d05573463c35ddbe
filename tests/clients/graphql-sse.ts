import { type Client, createClient } from "graphql-sse";
import { resuming } from "@dreamnet/live";
import { HISTORY, type History, type Show } from "./history.ts";

export function connect(host: string, key: () => string): Client {
  return createClient({
    url: `http://${host}/graphql`,
    headers: () => ({ authorization: `Bearer ${key()}` }),
    retryAttempts: 0, // `resuming` reconnects
  });
}

export function follow(client: Client, show: Show): () => void {
  const subscribe = resuming(client.subscribe<History>);
  return subscribe(
    { query: HISTORY },
    {
      next: ({ data }) => data && show(data.agentHistory),
      error: (refused) => console.error(refused),
      complete: () => {},
    },
  );
}
