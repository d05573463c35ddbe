import { useSubscriptionState } from "../../api/live.ts";
import { graphql, read } from "../../gql/index.ts";
import type { AgentCardFragment, AgentsLiveSubscription } from "../../gql/graphql.ts";
import { AGENT_CARD } from "./AgentCard.tsx";

const AGENTS_LIVE = graphql(`
  subscription AgentsLive($after: String) {
    agentStatus(after: $after) { kind cursor isStale lagMs removedKeys agents { ...AgentCard } }
  }
`);

type Update = AgentsLiveSubscription["agentStatus"];
type Card = Update["agents"][number];

export interface Fleet {
  agents: ReadonlyMap<string, { card: Card; agent: AgentCardFragment }>;
  /** How long the last message was under way, in milliseconds. */
  lags: number[];
  /** How many agents ran after each of the last messages. */
  running: number[];
}

const NONE: Fleet = { agents: new Map(), lags: [], running: [] };
const MOST = 60;

/** All agents as they are now. */
export function useFleet() {
  return useSubscriptionState(AGENTS_LIVE, {}, NONE, (fleet, { agentStatus }) => applied(fleet, agentStatus));
}

function applied({ agents, lags, running }: Fleet, { kind, lagMs, removedKeys, agents: changed }: Update): Fleet {
  const next = new Map(kind === "SNAPSHOT" || kind === "RESET" ? [] : agents);
  for (const key of removedKeys) next.delete(key);
  for (const card of changed) {
    const agent = read(AGENT_CARD, card);
    next.set(agent.key, { card, agent });
  }
  const isQuiet = kind === "HEARTBEAT" && changed.length === 0;
  let count = 0;
  for (const { agent } of next.values()) if (agent.status === "RUNNING") count++;
  return { agents: isQuiet ? agents : next, lags: [...lags, lagMs].slice(-MOST), running: [...running, count].slice(-MOST) };
}
