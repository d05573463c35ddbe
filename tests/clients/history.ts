// What the examples follow: every report of agents.
export const HISTORY = `subscription History($after: String) {
  agentHistory(after: $after) { kind cursor reports { id agentKey status } }
}`;

export interface History {
  agentHistory: {
    kind: "SNAPSHOT" | "UPDATE" | "HEARTBEAT" | "RESET";
    cursor: string;
    reports: { id: string; agentKey: string; status: string }[];
  };
}

/** Gets each message of the stream. */
export type Show = (update: History["agentHistory"]) => void;
