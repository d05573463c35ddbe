import { Link } from "wouter";
import { Shares } from "../../charts/Shares.tsx";
import { count, duration, inWords, plural } from "../../format/numbers.ts";
import { LiveBadge } from "../../ui/LiveBadge.tsx";
import { Tile } from "../../ui/Tile.tsx";
import { usePaced } from "../../ui/usePaced.ts";
import { STATUS_COLORS, STATUSES } from "../agents/tones.ts";
import { useFleet } from "../agents/useFleet.ts";

const PACE = 1000; // milliseconds

/** Agents by status, those that need attention, and how fresh the feed is. */
export function AgentTiles() {
  const { value, state } = useFleet();
  const { agents, running, lags } = usePaced(value, PACE);
  const all = [...agents.values()].map(({ agent }) => agent);
  const by = (status: string) => all.filter((agent) => agent.status === status).length;
  const stale = all.filter(({ isStale }) => isStale).length;
  const shares = STATUSES.map((status) => ({ name: inWords(status).toLowerCase(), count: by(status), color: STATUS_COLORS[status] })).filter((each) => each.count > 0);
  return (
    <>
      <Tile
        title="Agents by status"
        figure={<Link href="/agents">{count(all.length)}</Link>}
        note={<>{shares.map((each) => `${count(each.count)} ${each.name}`).join(", ") || "None has reported"} <LiveBadge state={state} /></>}
      >
        <Shares of={shares} label="Agents by status" />
      </Tile>
      <Tile
        title="Agents running"
        figure={<Link href="/agents?status=RUNNING">{count(by("RUNNING"))}</Link>}
        note={<><Link href="/agents?status=ERROR">{plural(by("ERROR"), "error")}</Link>, <Link href="/agents?status=stale">{count(stale)} stale</Link></>}
        values={running}
        label="Agents running since this page was opened"
      />
      <Tile title="Lag of the feed" figure={duration(lags.at(-1))} note="From the database to this page" values={lags} label="Lag of the last messages" />
    </>
  );
}
