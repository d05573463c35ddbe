import { createClient } from "graphql-ws";
import {
  Environment,
  type GraphQLResponse,
  Network,
  Observable,
  RecordSource,
  Store,
} from "relay-runtime";
import { resuming, type Sink } from "@dreamnet/live";

export function connect(host: string, key: () => string): Environment {
  const authorization = () => `Bearer ${key()}`;
  const socket = createClient({
    url: `ws://${host}/graphql`,
    connectionParams: () => ({ authorization: authorization() }),
    connectionAckWaitTimeout: 10_000,
    keepAlive: 10_000,
    retryAttempts: 0, // `resuming` reconnects
  });
  const subscribe = resuming(socket.subscribe, { hangUp: socket.terminate });
  const network = Network.create(
    async ({ text }, variables) => {
      const headers = { authorization: authorization(), "content-type": "application/json" };
      const body = JSON.stringify({ query: text, variables });
      return (await fetch(`http://${host}/graphql`, { method: "POST", headers, body })).json();
    },
    ({ text }, variables) =>
      Observable.create<GraphQLResponse>((sink) =>
        subscribe({ query: text ?? "", variables }, sink as Sink<unknown>),
      ),
  );
  return new Environment({ network, store: new Store(new RecordSource()) });
}
