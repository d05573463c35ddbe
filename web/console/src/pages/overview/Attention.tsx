import type { ReactNode } from "react";
import { Link } from "wouter";
import { useSubscriptionState } from "../../api/live.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { plural } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import type { AlertRowFragment } from "../../gql/graphql.ts";
import { Badge } from "../../ui/Badge.tsx";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { LiveBadge } from "../../ui/LiveBadge.tsx";
import { Acknowledge } from "../alerts/Acknowledge.tsx";
import { StateBadge } from "../alerts/StateBadge.tsx";
import { subjectOf } from "../alerts/states.ts";
import { useAlerts } from "../alerts/useAlerts.ts";

const AGENT_COUNTS = graphql(`
  subscription AgentCounts { agentsByStatus { stale counts { status count } } }
`);

const NONE = { stale: 0, errors: 0 };
const MOST = 8;

/** The alerts that are open now, and agents that are stale or in ERROR. */
export function Attention() {
  const mayAgents = may(useViewer(), "OPERATOR", "agents:read");
  const { value, state } = useAlerts();
  const agents = useSubscriptionState(AGENT_COUNTS, mayAgents ? {} : null, NONE, (_, { agentsByStatus: { stale, counts } }) => ({
    stale,
    errors: counts.find(({ status }) => status === "ERROR")?.count ?? 0,
  }));
  const open = [...value.values()].filter(({ closedAt }) => !closedAt).sort((one, other) => other.openedAt.localeCompare(one.openedAt));
  const { stale, errors } = agents.value;
  return (
    <Card title="What needs attention" actions={<><LiveBadge state={state} /><Link href="/alerts" className="button small">All alerts</Link></>}>
      {open.length + stale + errors === 0 && <Empty title="Nothing does.">Alerts are shown here while they are open, and agents that are stale or in ERROR.</Empty>}
      <ul className="list">
        {open.slice(0, MOST).map((alert) => <OpenAlert key={alert.id} of={alert} />)}
        {open.length > MOST && <li><Link href="/alerts">{plural(open.length - MOST, "more open alert")}</Link></li>}
        {errors > 0 && <AgentLine badge={<Badge tone="bad">ERROR</Badge>} path="/agents?status=ERROR">{plural(errors, "agent")}</AgentLine>}
        {stale > 0 && <AgentLine badge={<Badge tone="warn">STALE</Badge>} path="/agents?status=stale">{plural(stale, "agent")}</AgentLine>}
      </ul>
    </Card>
  );
}

function OpenAlert({ of }: { of: AlertRowFragment }) {
  return (
    <li>
      <span><StateBadge of={of} /> {of.title} <small>{subjectOf(of)}</small></span>
      <small className="end"><Time at={of.openedAt} as="ago" /> <Acknowledge of={of} /></small>
    </li>
  );
}

function AgentLine({ badge, path, children }: { badge: ReactNode; path: string; children: string }) {
  return <li><span>{badge} <Link href={path}>{children}</Link></span></li>;
}
