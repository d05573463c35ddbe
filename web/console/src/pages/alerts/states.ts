/** States of alerts. */
import type { AlertFilter, AlertRowFragment } from "../../gql/graphql.ts";
import type { Tone } from "../../ui/Badge.tsx";

export type AlertState = "OPEN" | "ACKNOWLEDGED" | "CLOSED";

export const TONES: Record<AlertState, Tone> = { OPEN: "bad", ACKNOWLEDGED: "warn", CLOSED: "off" };
export const STATES = Object.keys(TONES) as AlertState[];

export const FILTERS: Record<AlertState, AlertFilter> = {
  OPEN: { closedAt: { isNull: true }, acknowledgedAt: { isNull: true } },
  ACKNOWLEDGED: { closedAt: { isNull: true }, acknowledgedAt: { isNull: false } },
  CLOSED: { closedAt: { isNull: false } },
};

export function stateOf({ closedAt, acknowledgedAt }: AlertRowFragment): AlertState {
  return closedAt ? "CLOSED" : acknowledgedAt ? "ACKNOWLEDGED" : "OPEN";
}

/** What the value of an alert is of: a user, a provider, or nothing apart. */
export function subjectOf({ user, subject }: Pick<AlertRowFragment, "user" | "subject">): string | null {
  return user ? (user.email ?? user.id) : (subject ?? null);
}
