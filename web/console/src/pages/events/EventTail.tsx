import { useMemo, useRef } from "react";
import { useQuery } from "urql";
import { useSubscriptionState } from "../../api/live.ts";
import { useParam } from "../../app/useParam.ts";
import type { Range } from "../../format/range.ts";
import { graphql, read } from "../../gql/index.ts";
import type { EventFilter, EventLineFragment } from "../../gql/graphql.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { ExportMenu } from "../../ui/ExportMenu.tsx";
import { LiveBadge } from "../../ui/LiveBadge.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { EVENT_LINE, EventLine } from "./EventLine.tsx";

const EVENTS = graphql(`
  query Events($filter: EventFilter) {
    events(filter: $filter, orderBy: [{ field: TIMESTAMP, direction: DESC }], first: 50) { nodes { ...EventLine } }
  }
`);

const EVENTS_LIVE = graphql(`
  subscription EventsLive($filter: EventFilter, $after: String) {
    events(filter: $filter, after: $after) { kind cursor isStale events { ...EventLine } }
  }
`);

const NONE: EventLineFragment[] = [];
const MOST = 200;

/** The newest events, and each new one as it comes, until it is paused. */
export function EventTail({ filter, range }: { filter: EventFilter; range: Range }) {
  const [isPaused, setPaused] = useParam("paused");
  const inRange = useMemo<EventFilter>(
    () => ({ ...filter, timestamp: { gte: range.from, ...(range.to && { lte: range.to }) } }),
    [filter, range],
  );
  const [result, ask] = useQuery({ query: EVENTS, variables: { filter: inRange }, requestPolicy: "cache-and-network" });
  const isLive = range.to === undefined;
  const live = useSubscriptionState(EVENTS_LIVE, isLive ? { filter } : null, NONE, (before, { events }) =>
    events.events.length === 0 ? before : [...events.events.map((each) => read(EVENT_LINE, each)).reverse(), ...before].slice(0, MOST),
  );
  const kept = useRef(NONE);
  if (isPaused === "") kept.current = live.value;
  return (
    <Card
      title="Newest events"
      actions={
        <>
          {isLive && <LiveBadge state={live.state} />}
          {isLive && (
            <button type="button" className="button small" aria-pressed={isPaused !== ""} onClick={() => setPaused(isPaused ? "" : "yes")}>
              {isPaused ? `Continue (${live.value.length - kept.current.length} new)` : "Pause"}
            </button>
          )}
          <ExportMenu name="Events" rows={() => merged(kept.current, result.data?.events.nodes.map((each) => read(EVENT_LINE, each)) ?? []).map((each) => ({ ...each }))} />
        </>
      }
    >
      <Loaded result={result} retry={ask}>
        {({ events }) => {
          const shown = merged(kept.current, events.nodes.map((each) => read(EVENT_LINE, each)));
          if (shown.length === 0) return <Empty title="No event in this time is like this.">Remove a filter, or choose a longer time range.</Empty>;
          return <ul className="tail">{shown.map((event) => <EventLine key={event.id} event={event} />)}</ul>;
        }}
      </Loaded>
    </Card>
  );
}

function merged(live: EventLineFragment[], stored: EventLineFragment[]): EventLineFragment[] {
  const all = new Map([...live, ...stored].map((event) => [event.id, event]));
  return [...all.values()].sort((one, other) => other.timestamp.localeCompare(one.timestamp)).slice(0, MOST);
}
