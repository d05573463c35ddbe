/** Live views: what a subscription has told, and whether that is current. */
import { type Live, useLive } from "@dreamnet/live/react";
import { stringifyDocument } from "@urql/core";
import type { FormattedExecutionResult } from "graphql";
import type { Client, SubscribePayload } from "graphql-ws";
import { createContext, useContext } from "react";
import type { TypedDocumentNode } from "urql";

const Socket = createContext<Client | null>(null);

export const SocketProvider = Socket.Provider;

/** Follows a subscription while the component is shown, unless `variables` is null. */
export function useSubscriptionState<Data, Variables extends Record<string, unknown>, Value>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, "after"> | null,
  initial: Value,
  reduce: (value: Value, data: Data) => Value,
): Live<Value> {
  const socket = useContext(Socket)!;
  const payload = variables === null ? null : { query: stringifyDocument(document), variables };
  return useLive<SubscribePayload, FormattedExecutionResult, Value>(socket.subscribe, payload, {
    initial,
    reduce: (value, { data }) => (data ? reduce(value, data as Data) : value),
    hangUp: socket.terminate,
  });
}
