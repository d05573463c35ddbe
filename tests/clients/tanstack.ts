import { MutationObserver, QueryClient, QueryObserver } from "@tanstack/query-core";
import type { Client as Socket } from "graphql-ws";
import { GraphQLClient } from "graphql-request";
import { resuming } from "@dreamnet/live";
import * as graphqlWs from "./graphql-ws.ts";
import { HISTORY, type History, type Show } from "./history.ts";

export interface Client {
  queries: QueryClient;
  http: GraphQLClient;
  socket: Socket;
}

export function connect(host: string, key: () => string): Client {
  const headers = () => ({ authorization: `Bearer ${key()}` }); // called for each request
  const http = new GraphQLClient(`http://${host}/graphql`, { headers });
  return { queries: new QueryClient(), http, socket: graphqlWs.connect(host, key) };
}

export function query({ queries, http }: Client, document: string): Promise<unknown> {
  return queries.fetchQuery({ queryKey: [document], queryFn: () => http.request(document) });
}

export function mutate({ queries, http }: Client, document: string, variables: Record<string, unknown>) {
  const mutationFn = (given: Record<string, unknown>) => http.request<unknown>(document, given);
  return new MutationObserver(queries, { mutationFn }).mutate(variables);
}

/** Keeps all reports in the cache, where observers see them. */
export function follow({ queries, socket }: Client, show: Show): () => void {
  type Reports = History["agentHistory"]["reports"];
  let last: History["agentHistory"] | undefined;
  let shown = 0;
  const observer = new QueryObserver<Reports>(queries, { queryKey: ["reports"], enabled: false });
  const leave = observer.subscribe(({ data = [] }) => {
    if (last) show({ ...last, reports: data.slice(shown) });
    shown = data.length;
  });
  const cancel = resuming(socket.subscribe<History>, { hangUp: socket.terminate })(
    { query: HISTORY },
    {
      next: ({ data }) => {
        if (!data) return;
        last = data.agentHistory;
        queries.setQueryData<Reports>(["reports"], (all = []) => [...all, ...data.agentHistory.reports]);
      },
      error: (refused) => console.error(refused),
      complete: () => {},
    },
  );
  return () => {
    cancel();
    leave();
    queries.clear(); // its timers keep a process
  };
}
