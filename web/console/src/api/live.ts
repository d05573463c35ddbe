/** Live views: what a subscription has told, and whether that is current. */
import { type Live, useLive } from "@dreamnet/live/react";
import { stringifyDocument } from "@urql/core";
import type { FormattedExecutionResult } from "graphql";
import type { Client, SubscribePayload } from "graphql-ws";
import { createContext, useContext, useEffect, useRef } from "react";
import type { TypedDocumentNode } from "urql";

const Socket = createContext<Client | null>(null);

export const SocketProvider = Socket.Provider;

export interface Followed<Value> extends Live<Value> {
  /** How often it has started, instead of resuming where it was interrupted. */
  starts: number;
}

/** Follows a subscription while the component is shown, unless `variables` is null. */
export function useSubscriptionState<Data, Variables extends Record<string, unknown>, Value>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, "after"> | null,
  initial: Value,
  reduce: (value: Value, data: Data) => Value,
): Followed<Value> {
  const socket = useContext(Socket)!;
  const payload = variables === null ? null : { query: stringifyDocument(document), variables };
  const live = useLive<SubscribePayload, FormattedExecutionResult, { value: Value; starts: number }>(socket.subscribe, payload, {
    initial: { value: initial, starts: 0 },
    reduce: (before, { data }) => (data ? { value: reduce(before.value, data as Data), starts: before.starts + (isStart(data) ? 1 : 0) } : before),
    hangUp: socket.terminate,
  });
  return { ...live, ...live.value };
}

function isStart(data: object): boolean {
  const [update] = Object.values(data) as { kind?: string }[];
  return update?.kind === "SNAPSHOT";
}

/** Reads rows again after the subscription to new ones has started: others may have been stored
 * after they were read, and before it started. */
export function useReadAgain(starts: number, isBusy: boolean, read: () => void): void {
  const seen = useRef(0);
  useEffect(() => {
    if (isBusy || starts === seen.current) return;
    seen.current = starts;
    read();
  }, [starts, isBusy]);
}
