/** The WebSocket that all subscriptions of a page share. */
import { type Client, createClient } from "graphql-ws";
import { authorization } from "./credential.ts";
import { SOCKET } from "./places.ts";

export type Connection = "not connected" | "connecting" | "connected" | "interrupted" | "refused";

export function openSocket(onConnection: (state: Connection) => unknown = () => {}): Client {
  return createClient({
    url: SOCKET,
    connectionParams: authorization, // called for each connection
    connectionAckWaitTimeout: 10_000,
    keepAlive: 10_000,
    retryAttempts: 0, // `resuming` reconnects
    on: {
      connecting: () => onConnection("connecting"),
      connected: () => onConnection("connected"),
      closed: (event) => onConnection(stateAfter(event)),
    },
  });
}

const REFUSED = [4401, 4403]; // the credential is missing or not valid

function stateAfter(event: unknown): Connection {
  const code = event instanceof CloseEvent ? event.code : undefined;
  if (code !== undefined && REFUSED.includes(code)) return "refused";
  return code === 1000 ? "not connected" : "interrupted";
}
