import { type LiveOptions, useLive } from "@dreamnet/live/react";
import { print } from "graphql";
import { graphql } from "./gql";
import type { FleetSubscription } from "./gql/graphql";
import { socket } from "./gateway";

const FLEET = graphql(`
  subscription Fleet($after: String) {
    agentStatus(after: $after) {
      kind cursor isStale removedKeys
      agents { id key status isStale lastActive }
    }
  }
`);
type Agent = FleetSubscription["agentStatus"]["agents"][number];
type Message = { data?: FleetSubscription | null };

const OPTIONS: LiveOptions<Message, ReadonlyMap<string, Agent>> = {
  initial: new Map(),
  reduce: (before, { data }) => {
    if (!data) return before;
    const { kind, agents, removedKeys } = data.agentStatus;
    const after = new Map(kind === "SNAPSHOT" ? [] : before);
    for (const agent of agents) after.set(agent.key, agent);
    for (const key of removedKeys) after.delete(key);
    return after;
  },
  hangUp: socket.terminate,
};
const PAYLOAD = { query: print(FLEET) };

/** All agents as they are now, and whether that is current. */
export function Fleet() {
  const { value, state, error } = useLive(socket.subscribe<FleetSubscription>, PAYLOAD, OPTIONS);
  const agents = [...value.values()].sort((a, b) => a.key.localeCompare(b.key));
  return (
    <>
      <h1>Fleet <small className={state}>{state}</small></h1>
      {error ? <p role="alert">This account may not see agents.</p> : <p>{agents.length} agents</p>}
      <ul className="fleet">
        {agents.map(({ id, key, status, isStale }) => (
          <li key={id} className={isStale ? "stale" : status}>{key} <small>{status}</small></li>
        ))}
      </ul>
    </>
  );
}
