import { useSubscriptionState } from "../../api/live.ts";
import { graphql, read } from "../../gql/index.ts";
import type { AlertRowFragment, AlertsLiveSubscription } from "../../gql/graphql.ts";

export const ALERT_ROW = graphql(`
  fragment AlertRow on Alert {
    id title kind subject value threshold openedAt closedAt acknowledgedAt
    user { id email }
    acknowledgedBy { id email }
  }
`);

const ALERTS_LIVE = graphql(`
  subscription AlertsLive($after: String) {
    alerts(after: $after) { kind cursor isStale alerts { ...AlertRow } }
  }
`);

type Alerts = ReadonlyMap<string, AlertRowFragment>;
const NONE: Alerts = new Map();

/** The alerts that are open, and those that have changed since the page was opened, by ID. */
export function useAlerts() {
  return useSubscriptionState(ALERTS_LIVE, {}, NONE, (before, { alerts }) => applied(before, alerts));
}

function applied(before: Alerts, { kind, alerts }: AlertsLiveSubscription["alerts"]): Alerts {
  const isStart = kind === "SNAPSHOT";
  if (!isStart && alerts.length === 0) return before;
  const changed = alerts.map((each) => read(ALERT_ROW, each)).map((alert) => [alert.id, alert] as const);
  return new Map([...(isStart ? [] : before), ...changed]);
}
