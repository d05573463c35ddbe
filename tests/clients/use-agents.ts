import { type Live, useLive } from "@dreamnet/live/react";
import type { Client } from "graphql-ws";
import { type Agent, apply, STATUS, type Status } from "./agents.ts";

export type Agents = ReadonlyMap<string, Agent>;

const NONE: Agents = new Map();

/** The agents, and whether they are live: a React hook. */
export function useAgents(client: Client): Live<Agents> {
  return useLive(client.subscribe<Status>, { query: STATUS }, {
    initial: NONE,
    reduce: (agents, { data }) => {
      const next = new Map(agents);
      if (data) apply(next, data.agentStatus);
      return next;
    },
    hangUp: client.terminate,
  });
}
