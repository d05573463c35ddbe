/** The WebSocket that all subscriptions of a page share. */
import { type Client, createClient } from "graphql-ws";
import { authorization } from "./credential.ts";
import { SOCKET } from "./places.ts";

export type Connection = "not connected" | "connecting" | "connected" | "interrupted";

export function openSocket(onConnection: (state: Connection) => void = () => {}): Client {
  return createClient({
    url: SOCKET,
    connectionParams: authorization, // called for each connection
    connectionAckWaitTimeout: 10_000,
    keepAlive: 10_000,
    retryAttempts: 0, // `resuming` reconnects
    on: {
      connecting: () => onConnection("connecting"),
      connected: () => onConnection("connected"),
      closed: (event) => onConnection(isNormal(event) ? "not connected" : "interrupted"),
    },
  });
}

function isNormal(event: unknown): boolean {
  return event instanceof CloseEvent && event.code === 1000;
}
