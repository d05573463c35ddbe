/** What GraphiQL sends, and what is shown of it beside the response. */
import type { Fetcher } from "@graphiql/toolkit";
import { type DocumentNode, getOperationAST, type ExecutionResult } from "graphql";
import type { Client } from "graphql-ws";
import { authorization } from "../api/credential.ts";
import { GRAPHQL } from "../api/places.ts";

export interface Cost {
  requested: number;
  maximum: number;
  remaining: number | null;
}

export interface Statement {
  sql: string;
  rows: number | null;
  milliseconds: number;
  plan?: string;
}

/** What an administrator asks about an operation, as the header x-graphql-explain has it. */
export type Explain = "" | "1" | "plans";

export interface Explained {
  executor: string;
  fallback: string | null;
  statementCount: number;
  statements: Statement[];
}

/** Facts about the last operation. */
export interface Last {
  status: string;
  milliseconds: number;
  cost: Cost | undefined;
  explained: Explained | undefined;
}

export interface Message {
  at: Date;
  result: unknown;
}

export interface Listener {
  onLast(last: Last): void;
  onMessage(message: Message | null): void;
  explain(): Explain;
}

type Result = ExecutionResult<Record<string, unknown>, { cost?: Cost; explain?: Explained }>;

/** Sends subscriptions over the socket and all other operations over HTTP. */
export function fetcherOf(socket: Client, listener: Listener): Fetcher {
  return (params, options) => {
    const document = options?.documentAST;
    const headers = { ...options?.headers } as Record<string, string>;
    if (isSubscription(document, params.operationName)) return follow(socket, params, listener);
    return send(params, headers, listener);
  };
}

function isSubscription(document: DocumentNode | undefined, name?: string | null): boolean {
  return document !== undefined && getOperationAST(document, name)?.operation === "subscription";
}

async function send(params: object, headers: Record<string, string>, listener: Listener): Promise<Result> {
  const began = performance.now();
  const explain = listener.explain() === "" ? {} : { "x-graphql-explain": listener.explain() };
  const response = await fetch(GRAPHQL, {
    method: "POST",
    headers: {
      accept: "application/graphql-response+json",
      "content-type": "application/json",
      "x-graphql-cost": "1",
      ...explain,
      ...authorization(),
      ...headers,
    },
    body: JSON.stringify(params),
  });
  const { extensions, ...result }: Result = await response.json();
  if ("operationName" in params && params.operationName === "IntrospectionQuery") return result;
  listener.onLast({
    status: String(response.status),
    milliseconds: Math.round(performance.now() - began),
    cost: extensions?.cost,
    explained: extensions?.explain,
  });
  return result;
}

async function* follow(socket: Client, params: object, listener: Listener): AsyncGenerator<Result> {
  listener.onMessage(null);
  for await (const result of socket.iterate(params as { query: string })) {
    listener.onMessage({ at: new Date(), result });
    yield result as Result;
  }
}
