import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import { resuming } from "@dreamnet/live";
import { HISTORY, type History, type Show } from "./history.ts";

export function connect(host: string, key: () => string): Client {
  const authorization = () => `Bearer ${key()}`;
  const socket = createClient({
    url: `ws://${host}/graphql`,
    connectionParams: () => ({ authorization: authorization() }),
    connectionAckWaitTimeout: 10_000,
    keepAlive: 10_000,
    retryAttempts: 0, // `resuming` reconnects
  });
  const subscribe = resuming(socket.subscribe, { hangUp: socket.terminate });
  return new Client({
    url: `http://${host}/graphql`,
    fetchOptions: () => ({ headers: { authorization: authorization() } }),
    preferGetMethod: false,
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = "", variables }) => ({
          subscribe: (sink) => ({ unsubscribe: subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });
}

export function follow(client: Client, show: Show): () => void {
  const { unsubscribe } = client.subscription<History>(HISTORY, {}).subscribe(({ data, error }) => {
    if (error) console.error(error);
    else if (data) show(data.agentHistory);
  });
  return unsubscribe;
}
