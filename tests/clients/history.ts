// The subscription of the examples: all agent reports.
export const HISTORY = `subscription History($after: String) {
  agentHistory(after: $after) { kind cursor isStale reports { id agentKey status } }
}`;

export interface History {
  agentHistory: {
    kind: "SNAPSHOT" | "UPDATE" | "HEARTBEAT" | "RESET";
    cursor: string;
    reports: { id: string; agentKey: string; status: string }[];
  };
}

/** Called with each message. */
export type Show = (update: History["agentHistory"]) => void;
