import { useMemo } from "react";
import { useReadAgain, useSubscriptionState } from "../../api/live.ts";
import { useParam } from "../../app/useParam.ts";
import { count } from "../../format/numbers.ts";
import type { Range } from "../../format/range.ts";
import { graphql, read } from "../../gql/index.ts";
import type { EventFilter, EventLineFragment } from "../../gql/graphql.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { ExportMenu } from "../../ui/ExportMenu.tsx";
import { LiveBadge } from "../../ui/LiveBadge.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { More } from "../../ui/More.tsx";
import { MOST_ROWS } from "../../api/everything.ts";
import { usePages } from "../../ui/usePages.ts";
import { EVENT_LINE, EventLine } from "./EventLine.tsx";

const EVENTS = graphql(`
  query Events($filter: EventFilter, $first: Int!, $after: String) {
    events(filter: $filter, orderBy: [{ field: TIMESTAMP, direction: DESC }], first: $first, after: $after) {
      nodes { ...EventLine }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const EVENTS_LIVE = graphql(`
  subscription EventsLive($filter: EventFilter, $after: String) {
    events(filter: $filter, after: $after) { kind cursor isStale events { ...EventLine } }
  }
`);

const NONE: EventLineFragment[] = [];
const MOST_LIVE = 200;

/** The newest events, and each new one as it comes, until it is paused. */
export function EventTail({ filter, range }: { filter: EventFilter; range: Range }) {
  const [pausedAt, pauseAt] = useParam("paused");
  const until = pausedAt || range.to;
  const inRange = useMemo<EventFilter>(
    () => ({ ...filter, timestamp: { gte: range.from, ...(until && { lte: until }) } }),
    [filter, range, until],
  );
  const pages = usePages(
    EVENTS,
    { filter: inRange },
    ({ events }) => ({ ...events, nodes: events.nodes.map((each) => read(EVENT_LINE, each)) }),
    "cache-and-network",
  );
  const isLive = range.to === undefined;
  const live = useSubscriptionState(EVENTS_LIVE, isLive ? { filter } : null, NONE, (before, { events }) =>
    events.events.length === 0 ? before : [...events.events.map((each) => read(EVENT_LINE, each)).reverse(), ...before].slice(0, MOST_LIVE),
  );
  useReadAgain(live.starts, pages.result.fetching || pages.result.stale, pages.readAgain);
  const isNew = ({ timestamp }: EventLineFragment) => pausedAt !== "" && timestamp > pausedAt;
  const shown = useMemo(() => merged(live.value.filter((each) => !isNew(each)), pages.items), [live.value, pages.items, pausedAt]);
  const pause = () => pauseAt(pausedAt ? "" : (shown[0]?.timestamp ?? new Date().toISOString()));
  return (
    <Card
      title="Newest events"
      actions={
        <>
          {isLive && <LiveBadge state={live.state} />}
          {isLive && (
            <button type="button" className="button small" aria-pressed={pausedAt !== ""} onClick={pause}>
              {pausedAt ? `Continue (${count(live.value.filter(isNew).length)} new)` : "Pause"}
            </button>
          )}
          <ExportMenu
            name="Events"
            contents={pages.hasMore ? `All events, at most ${count(MOST_ROWS)}` : `All ${count(shown.length)} events`}
            rows={async () => (pages.hasMore ? await pages.readAll() : shown).map((each) => ({ ...each }))}
          />
        </>
      }
    >
      <Loaded result={pages.result} retry={pages.ask}>
        {() => {
          if (shown.length === 0) return <Empty title="No event in this time is like this.">Remove a filter, or choose a longer time range.</Empty>;
          return <ul className="tail">{shown.map((event) => <EventLine key={event.id} event={event} />)}</ul>;
        }}
      </Loaded>
      <More of={pages} />
    </Card>
  );
}

function merged(live: readonly EventLineFragment[], stored: readonly EventLineFragment[]): EventLineFragment[] {
  const all = new Map([...live, ...stored].map((event) => [event.id, event]));
  return [...all.values()].sort((one, other) => other.timestamp.localeCompare(one.timestamp));
}
