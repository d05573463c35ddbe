import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { createClient } from "graphql-ws";
import { resuming } from "@dreamnet/live";
import { HISTORY, type History, type Show } from "./history.ts";

export function connect(host: string, key: () => string): ApolloClient {
  const authorization = () => `Bearer ${key()}`;
  const socket = createClient({
    url: `ws://${host}/graphql`,
    connectionParams: () => ({ authorization: authorization() }),
    connectionAckWaitTimeout: 10_000,
    keepAlive: 10_000,
    retryAttempts: 0, // `resuming` reconnects
  });
  const subscribe = resuming(socket.subscribe, { hangUp: socket.terminate });
  const http = new HttpLink({ uri: `http://${host}/graphql`, headers: { authorization: authorization() } });
  return new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink({ ...socket, subscribe }),
      http,
    ),
    cache: new InMemoryCache(),
  });
}

export function follow(client: ApolloClient, show: Show): () => void {
  const observable = client.subscribe<History>({ query: gql(HISTORY), fetchPolicy: "no-cache" });
  const subscription = observable.subscribe(({ data, error }) => {
    if (error) console.error(error);
    else if (data) show(data.agentHistory);
  });
  return () => subscription.unsubscribe();
}
