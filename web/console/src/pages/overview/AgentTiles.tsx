import { Link } from "wouter";
import { count, duration, inWords, plural } from "../../format/numbers.ts";
import { LiveBadge } from "../../ui/LiveBadge.tsx";
import { Tile } from "../../ui/Tile.tsx";
import { STATUSES } from "../agents/tones.ts";
import { useFleet } from "../agents/useFleet.ts";

/** Agents by status, those that need attention, and how fresh the feed is. */
export function AgentTiles() {
  const { value, state } = useFleet();
  const agents = [...value.agents.values()].map(({ agent }) => agent);
  const by = (status: string) => agents.filter((agent) => agent.status === status).length;
  const stale = agents.filter(({ isStale }) => isStale).length;
  const statuses = STATUSES.filter((status) => by(status) > 0).map((status) => `${count(by(status))} ${inWords(status).toLowerCase()}`);
  return (
    <>
      <Tile
        title="Agents running"
        figure={<Link href="/agents">{count(by("RUNNING"))}</Link>}
        note={<>{statuses.join(", ") || "None has reported"} <LiveBadge state={state} /></>}
      />
      <Tile
        title="Agents that need attention"
        figure={<Link href="/agents?status=ERROR">{count(by("ERROR") + stale)}</Link>}
        note={<>{plural(by("ERROR"), "error")}, <Link href="/agents?status=stale">{count(stale)} stale</Link></>}
      />
      <Tile title="Lag of the feed" figure={duration(value.lags.at(-1))} note="From the database to this page" values={value.lags} label="Lag of the last messages" />
    </>
  );
}
