// Runs all clients against one gateway at once: node drive.ts HOST:PORT, with a key in DREAMNET_KEY.
// All follow; told so by a line of input, they ask, too; they cancel where the input ends. Each line
// of output is what one client was told, as [client, step, what].
import { type ApolloClient, CombinedGraphQLErrors, gql } from "@apollo/client";
import type { Client as UrqlClient } from "@urql/core";
import { commitMutation, type Environment, fetchQuery, requestSubscription } from "relay-runtime";
import { resuming, type Result, type Sink, type Subscribe } from "@dreamnet/live";
import { type Agent, apply, STATUS, type Status } from "./agents.ts";
import * as apollo from "./apollo.ts";
import * as apolloMultipart from "./apollo-multipart.ts";
import * as graphqlSse from "./graphql-sse.ts";
import * as graphqlWs from "./graphql-ws.ts";
import * as compiled from "./compiled.ts";
import { HISTORY, type Show } from "./history.ts";
import * as relay from "./relay.ts";
import * as tanstack from "./tanstack.ts";
import * as urql from "./urql.ts";
import * as urqlFetch from "./urql-fetch.ts";

const QUERY = "query Viewer { viewer { role } }";
const MUTATION = `mutation Report($key: String!) {
  reportAgentStatus(input: { agentKey: $key, status: RUNNING }) { __typename }
}`;
const SYNTAX = "subscription Broken {";
const INVALID = "subscription Invalid { nothing }";

/** A client and what it can do. Errors are told by their codes. */
interface Driven {
  ask(document: string, variables: Record<string, unknown>): Promise<unknown>;
  follow(show: Show): () => void;
  refused(): Promise<unknown>;
}

type Request = { query: string; variables?: Record<string, unknown> };

/** What graphql-ws and graphql-sse have in common. */
function plain(client: { subscribe: Subscribe<Request, Result> }, follow: Driven["follow"]): Driven {
  return {
    ask: (query, variables) =>
      new Promise((resolve, reject) => {
        const sink = { next: (result: Result) => resolve(result.data), error: reject, complete() {} };
        client.subscribe({ query, variables }, sink);
      }),
    follow,
    refused: () =>
      new Promise((resolve) => {
        const sink: Sink<Result> = { next() {}, error: (errors) => resolve(codes(errors)), complete() {} };
        resuming(client.subscribe)({ query: SYNTAX }, sink);
      }),
  };
}

function byUrql(client: UrqlClient, follow: (client: UrqlClient, show: Show) => () => void): Driven {
  return {
    ask: async (document, variables) => {
      const kind = document.startsWith("query") ? "query" : "mutation";
      const { data, error } = await client[kind](document, variables).toPromise();
      if (error) throw error;
      return data;
    },
    follow: (show) => follow(client, show),
    refused: () =>
      new Promise((resolve) => {
        client.subscription(INVALID, {}).subscribe(({ error }) => resolve(codes(error?.graphQLErrors)));
      }),
  };
}

function byApollo(client: ApolloClient, follow: (client: ApolloClient, show: Show) => () => void): Driven {
  return {
    ask: async (document, variables) => {
      const asked = gql(document);
      const { data } = document.startsWith("query")
        ? await client.query({ query: asked, variables })
        : await client.mutate({ mutation: asked, variables });
      return data;
    },
    follow: (show) => follow(client, show),
    refused: () =>
      new Promise((resolve) => {
        client.subscribe({ query: gql(INVALID) }).subscribe(({ error }) => {
          resolve(CombinedGraphQLErrors.is(error) ? codes(error.errors) : error);
        });
      }),
  };
}

function byTanstack(client: tanstack.Client): Driven {
  return {
    ask: (document, variables) =>
      document.startsWith("query") ? tanstack.query(client, document) : tanstack.mutate(client, document, variables),
    follow: (show) => tanstack.follow(client, show),
    refused: () =>
      new Promise((resolve) => {
        const sink: Sink<Result> = { next() {}, error: (errors) => resolve(codes(errors)), complete() {} };
        resuming(client.socket.subscribe)({ query: INVALID }, sink);
      }),
  };
}

function byRelay(environment: Environment): Driven {
  const { compiled: compile } = compiled;
  return {
    ask: (document, variables) =>
      new Promise((resolve, reject) => {
        if (document.startsWith("query")) {
          fetchQuery(environment, compile(document, compiled.QUERY, []), {}).toPromise().then(resolve, reject);
        } else {
          const mutation = compile(document, compiled.MUTATION, ["key"]);
          commitMutation(environment, { mutation, variables, onCompleted: resolve, onError: reject });
        }
      }),
    follow: (show) => {
      const subscription = compile(HISTORY, compiled.HISTORY, ["after"]);
      const onNext = (data: any) => show(data.agentHistory);
      return requestSubscription(environment, { subscription, variables: {}, onNext }).dispose;
    },
    refused: () =>
      new Promise((resolve) => {
        const subscription = compile(INVALID, compiled.HISTORY, []);
        requestSubscription(environment, { subscription, variables: {}, onError: (error) => resolve(codes(error)) });
      }),
  };
}

/** The codes of GraphQL errors; whatever else it is, as it is. */
function codes(errors: unknown): unknown {
  return Array.isArray(errors) ? errors.map((error) => error.extensions.code) : errors;
}

const [host = ""] = process.argv.slice(2);
const key = () => process.env["DREAMNET_KEY"] ?? "";
const socket = graphqlWs.connect(host, key);
const events = graphqlSse.connect(host, key);

const clients: Record<string, Driven> = {
  "graphql-ws": plain(socket, (show) => graphqlWs.follow(socket, show)),
  "graphql-sse": plain(events, (show) => graphqlSse.follow(events, show)),
  "urql": byUrql(urql.connect(host, key), urql.follow),
  "urql-fetch": byUrql(urqlFetch.connect(host, key), urqlFetch.follow),
  "apollo": byApollo(apollo.connect(host, key), apollo.follow),
  "apollo-multipart": byApollo(apolloMultipart.connect(host, key), apolloMultipart.follow),
  "relay": byRelay(relay.connect(host, key)),
  "tanstack": byTanstack(tanstack.connect(host, key)),
};

const each = Object.entries(clients);
const cancels = each.map(([name, client]) => client.follow((update) => say(name, "update", update)));
cancels.push(showState());
process.stdin.once("data", () => each.forEach(([name, client]) => askAll(name, client)));
process.stdin.on("end", () => cancels.forEach((cancel) => cancel()));

function askAll(name: string, client: Driven): void {
  const told = (step: string) => (what: unknown) => say(name, step, what);
  client.ask(QUERY, {}).then(told("query"), told("query"));
  client.ask(MUTATION, { key: name }).then(told("mutation"), told("mutation"));
  client.refused().then(told("refused"));
}

/** The state of all agents after each message. */
function showState(): () => void {
  const agents = new Map<string, Agent>();
  const subscribe = resuming(socket.subscribe<Status>, { hangUp: socket.terminate });
  return subscribe(
    { query: STATUS },
    {
      next: ({ data }) => {
        if (data) apply(agents, data.agentStatus);
        say("graphql-ws", "state", [...agents.values()]);
      },
      error: console.error,
      complete() {},
    },
  );
}

function say(client: string, step: string, what: unknown): void {
  console.log(JSON.stringify([client, step, what]));
}
