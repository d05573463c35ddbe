import { useDeferredValue, useMemo } from "react";
import { problemOf } from "../../api/problems.ts";
import { useParam } from "../../app/useParam.ts";
import { count, inWords, plural } from "../../format/numbers.ts";
import type { AgentCardFragment } from "../../gql/graphql.ts";
import { Choice } from "../../ui/Choice.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { ExportMenu } from "../../ui/ExportMenu.tsx";
import { LiveBadge } from "../../ui/LiveBadge.tsx";
import { Loading } from "../../ui/Loading.tsx";
import { Page } from "../../ui/Page.tsx";
import { ProblemNote } from "../../ui/ProblemNote.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { Segments } from "../../ui/Segments.tsx";
import { AgentCard } from "./AgentCard.tsx";
import { STATUSES } from "./tones.ts";
import { type Fleet, useFleet } from "./useFleet.ts";
import { CombinedError } from "urql";

const ORDERS = [["key", "Name"], ["status", "Status"], ["active", "Last active"]] as const;

/** The fleet, live. */
export function AgentWall() {
  const { value, state, error } = useFleet();
  const [status, setStatus] = useParam("status");
  const [search, setSearch] = useParam("search");
  const [order, setOrder] = useParam("order", "status");
  const fleet = useDeferredValue(value.agents);
  const shown = useMemo(() => arranged(fleet, status, search, order), [fleet, status, search, order]);
  const agents = [...fleet.values()].map(({ agent }) => agent);
  return (
    <Page
      title="Agents"
      about={`${plural(agents.length, "agent")}, ${count(agents.filter(({ isStale }) => isStale).length)} stale`}
      actions={
        <>
          <LiveBadge state={state} />
          <ExportMenu name="Agents" rows={() => shown.map(({ agent }) => ({ ...agent }))} />
        </>
      }
    >
      <div className="filters">
        <SearchField label="Name contains" value={search} onChange={setSearch} />
        <Choice
          label="Status"
          all={`All (${count(agents.length)})`}
          options={[
            ...STATUSES.map((name) => [name, `${inWords(name)} (${agents.filter((agent) => agent.status === name).length})`] as const),
            ["stale", `Stale (${agents.filter(({ isStale }) => isStale).length})`] as const,
          ]}
          value={status}
          onChange={setStatus}
        />
        <Segments label="Order" options={ORDERS} value={order as (typeof ORDERS)[number][0]} onChange={setOrder} />
      </div>
      {error !== undefined && <ProblemNote problem={problemOf(new CombinedError({ graphQLErrors: error as [] }))} />}
      {state === "reconnecting" && agents.length === 0 && <Loading />}
      {state === "live" && agents.length === 0 && (
        <Empty title="No agent has reported yet.">
          Send <code>reportAgentStatus</code>, or import agent reports with <code>dreamnet import</code>.
        </Empty>
      )}
      {agents.length > 0 && shown.length === 0 && <Empty title="No agent is like this.">Remove a filter.</Empty>}
      <div className="wall">
        {shown.map(({ agent, card }) => <AgentCard key={agent.key} of={card} />)}
      </div>
    </Page>
  );
}

function arranged(fleet: Fleet["agents"], status: string, search: string, order: string) {
  const wanted = search.toLowerCase();
  const found = [...fleet.values()].filter(
    ({ agent }) =>
      agent.key.toLowerCase().includes(wanted) &&
      (status === "" || (status === "stale" ? agent.isStale : agent.status === status)),
  );
  const rank = ({ status, isStale }: AgentCardFragment) => STATUSES.indexOf(status) + (isStale ? 0.5 : 0);
  return found.sort(({ agent: one }, { agent: other }) => {
    const first =
      order === "active" ? other.lastActive.localeCompare(one.lastActive)
      : order === "status" ? rank(one) - rank(other)
      : 0;
    return first || one.key.localeCompare(other.key, undefined, { numeric: true });
  });
}
