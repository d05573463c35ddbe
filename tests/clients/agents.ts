// A copy of the state of all agents, from the messages of `agentStatus`.
export const STATUS = `subscription Status($after: String) {
  agentStatus(after: $after) { kind cursor isStale agents { key status } removedKeys skipped }
}`;

export interface Agent {
  key: string;
  status: string;
}

export interface Status {
  agentStatus: { kind: string; cursor: string; agents: Agent[]; removedKeys: string[] };
}

export function apply(agents: Map<string, Agent>, update: Status["agentStatus"]): void {
  if (update.kind === "SNAPSHOT") agents.clear();
  for (const agent of update.agents) agents.set(agent.key, agent);
  for (const key of update.removedKeys) agents.delete(key);
}
