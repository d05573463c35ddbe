import type { EventSeverity } from "../../gql/graphql.ts";
import type { Tone } from "../../ui/Badge.tsx";

export const SEVERITY_TONES: Record<EventSeverity, Tone> = {
  DEBUG: "off",
  INFO: "busy",
  WARNING: "warn",
  ERROR: "bad",
  CRITICAL: "bad",
};
export const SEVERITIES = Object.keys(SEVERITY_TONES) as EventSeverity[];

export const SEVERITY_COLORS: Record<EventSeverity, string> = {
  DEBUG: "var(--line-strong)",
  INFO: "var(--series-4)",
  WARNING: "var(--warn)",
  ERROR: "var(--bad)",
  CRITICAL: "var(--series-5)",
};
