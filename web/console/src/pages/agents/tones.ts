import type { AgentStatus } from "../../gql/graphql.ts";
import type { Tone } from "../../ui/Badge.tsx";

export const STATUS_TONES: Record<AgentStatus, Tone> = {
  RUNNING: "good",
  STARTING: "busy",
  WAITING: "busy",
  IDLE: "off",
  PAUSED: "warn",
  ERROR: "bad",
  OFFLINE: "off",
};

export const STATUSES = Object.keys(STATUS_TONES) as AgentStatus[];
