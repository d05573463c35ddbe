import { useMemo } from "react";
import { Link } from "wouter";
import { useReadAgain } from "../../api/live.ts";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { number } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import type { AlertFilter, AlertKind, AlertRowFragment } from "../../gql/graphql.ts";
import { Choice, withCounts } from "../../ui/Choice.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { LiveBadge } from "../../ui/LiveBadge.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Table } from "../../ui/Table.tsx";
import { usePages } from "../../ui/usePages.ts";
import { Acknowledge } from "./Acknowledge.tsx";
import { KINDS } from "./kinds.ts";
import { StateBadge } from "./StateBadge.tsx";
import { type AlertState, FILTERS, stateOf, STATES, subjectOf } from "./states.ts";
import { ALERT_ROW, useAlerts } from "./useAlerts.ts";

const ALERTS = graphql(`
  query Alerts($filter: AlertFilter, $first: Int!, $after: String) {
    alerts(filter: $filter, orderBy: [{ field: OPENED_AT, direction: DESC }], first: $first, after: $after) {
      nodes { ...AlertRow }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

/** Alerts, newest first, and each change as it happens. */
export function AlertList() {
  const [state, setState] = useParam("state");
  const [kind, setKind] = useParam("kind");
  const filter = useMemo<AlertFilter>(
    () => ({ ...FILTERS[state as AlertState], ...(kind && { kind: { eq: kind as AlertKind } }) }),
    [state, kind],
  );
  const pages = usePages(ALERTS, { filter }, ({ alerts }) => ({ ...alerts, nodes: alerts.nodes.map((each) => read(ALERT_ROW, each)) }), "cache-and-network");
  const live = useAlerts();
  const alerts = live.value;
  useReadAgain(live.starts, pages.result.fetching || pages.result.stale, pages.readAgain);
  const shown = useMemo(
    () => merged(alerts, pages.items).filter((each) => (state === "" || stateOf(each) === state) && (kind === "" || each.kind === kind)),
    [alerts, pages.items, state, kind],
  );
  return (
    <>
      <div className="filters">
        <Choice label="State" all="All" options={withCounts(STATES)} value={state} onChange={setState} />
        <Choice label="Watches" all="All" options={KINDS} value={kind} onChange={setKind} />
      </div>
      <Loaded result={pages.result} retry={pages.ask}>
        {() => (
          <Table
            name="Alerts"
            items={shown}
            pages={pages}
            keyOf={({ id }) => id}
            actions={<LiveBadge state={live.state} />}
            columns={[
              { name: "State", value: stateOf, show: (alert) => <StateBadge of={alert} /> },
              { name: "Alert", isWide: true, value: ({ title }) => title },
              { name: "Of", value: subjectOf },
              { name: "Value", isNumber: true, value: ({ value }) => value, show: ({ value }) => number(value) },
              { name: "Threshold", isNumber: true, value: ({ threshold }) => threshold, show: ({ threshold }) => number(threshold) },
              { name: "Opened", value: ({ openedAt }) => openedAt, show: ({ openedAt }) => <Time at={openedAt} /> },
              { name: "Closed", value: ({ closedAt }) => closedAt, show: ({ closedAt }) => <Time at={closedAt} /> },
              { name: "Acknowledged", value: ({ acknowledgedAt }) => acknowledgedAt, show: ({ acknowledgedAt }) => <Time at={acknowledgedAt} /> },
              { name: "By", value: ({ acknowledgedBy }) => acknowledgedBy?.email ?? acknowledgedBy?.id },
              { name: "", show: (alert) => <div className="actions"><Acknowledge of={alert} /></div> },
            ]}
            empty={<NoAlert isFiltered={state !== "" || kind !== ""} />}
          />
        )}
      </Loaded>
    </>
  );
}

function NoAlert({ isFiltered }: { isFiltered: boolean }) {
  const mayRules = may(useViewer(), "OPERATOR", "alerts:read", "users:read");
  if (isFiltered) return <Empty title="No alert is like this.">Remove a filter.</Empty>;
  return (
    <Empty title="No alert was opened yet.">
      {mayRules ? <>See what is watched, and create a rule, under <Link href="/alerts/rules">Rules</Link>.</> : "You see alerts about your own spend here, such as one about your budget."}
    </Empty>
  );
}

/** The alerts of both. An alert that was acknowledged or closed in one of them remains so. */
function merged(live: ReadonlyMap<string, AlertRowFragment>, stored: readonly AlertRowFragment[]): AlertRowFragment[] {
  const all = new Map(live);
  for (const alert of stored) {
    const other = live.get(alert.id);
    all.set(alert.id, {
      ...alert,
      closedAt: other?.closedAt ?? alert.closedAt ?? null,
      acknowledgedAt: other?.acknowledgedAt ?? alert.acknowledgedAt ?? null,
      acknowledgedBy: other?.acknowledgedBy ?? alert.acknowledgedBy ?? null,
    });
  }
  return [...all.values()].sort((one, other) => other.openedAt.localeCompare(one.openedAt));
}
