import { createClient } from "graphql-ws";
import { Client, fetchExchange } from "urql";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";

const url = `${import.meta.env.VITE_GATEWAY ?? "http://127.0.0.1:8000"}/graphql`;

/** In development the gateway needs none. In production return the access token of your sign-in. */
const token = (): string | undefined => undefined;
const authorization = () => (token() ? { authorization: `Bearer ${token()}` } : undefined);

export const client = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: () => ({ headers: authorization() ?? {} }),
  exchanges: [
    cacheExchange({ keys: { UserError: () => null, DreamTotals: () => null }, resolvers: { Query: { dreams: relayPagination() } } }),
    fetchExchange,
  ],
});

export const socket = createClient({
  url: url.replace("http", "ws"),
  connectionParams: authorization,
  connectionAckWaitTimeout: 10_000,
  keepAlive: 10_000,
  retryAttempts: 0, // `useLive` reconnects
});
