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

export const STATUS_COLORS: Record<AgentStatus, string> = {
  RUNNING: "var(--good)",
  STARTING: "var(--series-6)",
  WAITING: "var(--busy)",
  IDLE: "var(--line-strong)",
  PAUSED: "var(--warn)",
  ERROR: "var(--bad)",
  OFFLINE: "var(--line)",
};
