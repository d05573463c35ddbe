import type { LiveState } from "@dreamnet/live";
import { memo, useMemo } from "react";
import { CombinedError } from "urql";
import { problemOf } from "../../api/problems.ts";
import { useParam } from "../../app/useParam.ts";
import { count, inWords, plural } from "../../format/numbers.ts";
import type { AgentCardFragment, AgentStatus } from "../../gql/graphql.ts";
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
import { useTurns } from "./useTurns.ts";

const ORDERS = [["key", "Name"], ["status", "Status"], ["active", "Last active"]] as const;
const PAINT = 125; // milliseconds from one paint of the fleet to the next
const MOVE = 2000; // and from one move of cards to the next
const names = new Intl.Collator(undefined, { numeric: true });

/** The fleet, live. */
export function AgentWall() {
  const { value, state, error } = useFleet();
  return <Wall fleet={useTurns(value.agents, PAINT)} state={state} error={error} />;
}

interface Props {
  fleet: Fleet["agents"];
  state: LiveState;
  error: unknown;
}

/** Drawn once a turn, however many messages come. */
const Wall = memo(function Wall({ fleet, state, error }: Props) {
  const [status, setStatus] = useParam("status");
  const [search, setSearch] = useParam("search");
  const [order, setOrder] = useParam("order", "status");
  const settled = useTurns(fleet, MOVE);
  const keys = useMemo(() => arranged(settled, status, search, order), [settled, status, search, order]);
  const shown = keys.flatMap((key) => fleet.get(key) ?? []);
  const counts = useMemo(() => countsOf(fleet), [fleet]);
  return (
    <Page
      title="Agents"
      about={`${plural(fleet.size, "agent")}, ${count(counts.stale)} stale`}
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
          all={`All (${count(fleet.size)})`}
          options={[
            ...STATUSES.map((name) => [name, `${inWords(name)} (${count(counts[name] ?? 0)})`] as const),
            ["stale", `Stale (${count(counts.stale)})`] as const,
          ]}
          value={status}
          onChange={setStatus}
        />
        <Segments label="Order" options={ORDERS} value={order as (typeof ORDERS)[number][0]} onChange={setOrder} />
      </div>
      {error !== undefined && <ProblemNote problem={problemOf(new CombinedError({ graphQLErrors: error as [] }))} />}
      {state === "reconnecting" && fleet.size === 0 && <Loading />}
      {state === "live" && fleet.size === 0 && (
        <Empty title="No agent has reported yet." hasSample>
          Send <code>reportAgentStatus</code>, or import agent reports with <code>dreamnet import</code>.
        </Empty>
      )}
      {fleet.size > 0 && shown.length === 0 && <Empty title="No agent is like this.">Remove a filter.</Empty>}
      <div className="wall">{shown.map(({ agent, card }) => <AgentCard key={agent.key} of={card} />)}</div>
    </Page>
  );
});

function countsOf(fleet: Fleet["agents"]) {
  const counts: Partial<Record<AgentStatus, number>> & { stale: number } = { stale: 0 };
  for (const { agent } of fleet.values()) {
    counts[agent.status] = (counts[agent.status] ?? 0) + 1;
    if (agent.isStale) counts.stale++;
  }
  return counts;
}

/** The keys of the agents to show, in their order. */
function arranged(fleet: Fleet["agents"], status: string, search: string, order: string) {
  const wanted = search.toLowerCase();
  const found = [...fleet.values()].filter(
    ({ agent }) =>
      agent.key.toLowerCase().includes(wanted) &&
      (status === "" || (status === "stale" ? agent.isStale : agent.status === status)),
  );
  const rank = ({ status, isStale }: AgentCardFragment) => STATUSES.indexOf(status) + (isStale ? 0.5 : 0);
  found.sort(({ agent: one }, { agent: other }) => {
    const first =
      order === "active" ? Date.parse(other.lastActive) - Date.parse(one.lastActive)
      : order === "status" ? rank(one) - rank(other)
      : 0;
    return first || names.compare(one.key, other.key);
  });
  return found.map(({ agent }) => agent.key);
}
